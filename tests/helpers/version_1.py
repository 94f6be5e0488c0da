"""Plans and checkpoints as ct2pet wrote them before datasets had fields."""

_CHANNELS = {"generator": {"input_channels": 1, "num_classes": 1}, "discriminator": {"in_channels": 2}}


def plans_of_version_1(plans):
    """The JSON of present plans of paired CT and PET, as version 1 wrote it."""
    old = {name: value for name, value in plans.items() if name not in ("fields", "body_mask")}
    configurations = {name: _configuration(one) for name, one in plans["configurations"].items()}
    return {**old, "schema_version": 1, "configurations": configurations}


def _configuration(configuration):
    old = _with_networks(configuration)
    windows = old.pop("normalization")
    ct, pet = windows["CT"], windows["PET"]
    old["ct_normalization"] = {"lower_hu": ct["lower"], "upper_hu": ct["upper"]}
    old["pet_normalization"] = {"lower_suv": pet["lower"], "upper_suv": pet["upper"], "clip": pet["clip"]}
    old["sampling"] = {"lesion_fraction": old["sampling"]["lesion_fraction"]}
    old["augmentation"] = {n: v for n, v in old["augmentation"].items() if not n.startswith("misalignment")}
    if old["slices"]:
        old["slices"] = _with_networks(old["slices"])
    return old


def _with_networks(content):
    old = dict(content)
    for role, network in old.pop("networks").items():
        old[role] = {**network, "arguments": {**network["arguments"], **_CHANNELS[role]}}
    return old


def checkpoint_of_version_1(content):
    """The content of a present checkpoint, as version 1 wrote it."""
    old = {name: value for name, value in content.items() if name != "best"}
    return {**old, "best_mae": content["best"], "plans": plans_of_version_1(content["plans"])}
