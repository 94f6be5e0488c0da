"""The names of files and folders that several stages write and read, each in one place."""

DATASET = "dataset.json"
CASES = "cases.csv"
FINGERPRINT = "dataset_fingerprint.json"
SPLITS = "splits_final.json"
DEFAULT_PLANS = "ct2petPlans"
PLANS = "plans.json"  # in the folder of a model

CHECKPOINT_LATEST = "checkpoint_latest.pth"
CHECKPOINT_BEST = "checkpoint_best.pth"
CHECKPOINT_FINAL = "checkpoint_final.pth"
TRAINING_LOG = "training_log.csv"
PROGRESS_PICTURE = "progress.png"
TRAINING_PROVENANCE = "provenance.json"
VALIDATION = "validation"

PREDICTION = "prediction.json"
SUMMARY = "summary.json"
REPORT = "report.html"
