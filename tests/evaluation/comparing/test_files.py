import copy
import csv
import io
import json
import re
import shutil
import subprocess

import pytest
from summaries import synthetic_summary

from ct2pet.evaluation.comparing import compare, compare_with_baselines
from ct2pet.evaluation.comparing.files import csv_text, latex, literal, write_comparison


@pytest.fixture(scope="module")
def comparison():
    first = synthetic_summary(15)
    second = copy.deepcopy(first)
    for number, regions in enumerate(second["cases"].values()):
        for metrics in regions.values():
            if metrics["mae"] is not None:
                metrics["mae"] += 0.1 + 0.001 * number
    return compare({"per_district 50%": first, r"whole & body\x": second})


def test_the_csv_contains_every_number(comparison):
    rows = list(csv.DictReader(io.StringIO(csv_text(comparison))))
    assert len(rows) == 2 * len(comparison.lines)
    first, second = rows[:2]
    line = comparison.lines[0]
    assert (first["table"], first["subject"], first["metric"]) == ("districts", "head", "mae")
    assert (first["unit"], first["better"], first["model"]) == ("SUV", "lower", "per_district 50%")
    numbers, difference = line.numbers[second["model"]], line.differences[second["model"]]
    for name in ("mean", "se", "n", "median", "q25", "q75"):
        assert float(second[name]) == numbers[name]
    assert [float(second[f"ci95_{end}"]) for end in ("low", "high")] == numbers["ci95"]
    assert float(second["difference"]) == difference.test.mean
    assert [float(second[f"difference_ci95_{end}"]) for end in ("low", "high")] == difference.test.ci95
    for name in ("pairs", "p_t", "p_wilcoxon", "cohens_dz", "rank_biserial"):
        assert float(second[name]) == getattr(difference.test, name)
    psnr = next(row for row in rows if row["metric"] == "psnr" and row["model"] == second["model"])
    assert psnr["p_t_holm"] == psnr["p_wilcoxon_holm"] == ""  # not of the family
    assert float(second["p_t_holm"]) == difference.p_t_holm
    assert float(second["p_wilcoxon_holm"]) == difference.p_wilcoxon_holm
    assert first["difference"] == first["p_t"] == ""


def test_the_latex_tables_hold_means_bold_best_and_stars(comparison):
    text = latex(comparison)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 3
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 3
    assert "Liver" not in text  # fifty organs do not fit a page; the other files hold them
    assert r" & Metric & per\_district 50\% & whole \& body\textbackslash{}x \\" in text
    line = comparison.lines[0]
    one, two = (f"{numbers['mean']:.3f} \\pm {numbers['se']:.3f}" for numbers in line.numbers.values())
    assert rf"Head ($n=15$) & MAE [SUV] $\downarrow$ & $\mathbf{{{one}}}$ & ${two}^{{***}}$ \\" in text
    psnr = comparison.lines[1]
    same = f"{psnr.numbers['per_district 50%']['mean']:.2f} \\pm {psnr.numbers['per_district 50%']['se']:.2f}"
    assert rf" & PSNR [dB] $\uparrow$ & $\mathbf{{{same}}}$ & $\mathbf{{{same}}}$ \\" in text
    assert text.count("One family of 6 tests: MAE in head, trunk, arms, legs, whole body, lesions, against whole") == 3
    assert text.isascii()


def test_every_row_has_the_columns_of_its_table_and_every_brace_its_partner(comparison):
    for found in (latex(comparison), latex(compare_with_baselines(synthetic_summary(3)))):
        for table in found.split(r"\begin{table}")[1:]:
            columns = re.search(r"\\begin\{tabular\}\{(l+c+)\}", table).group(1)
            rows = [line for line in table.splitlines() if line.endswith(r"\\")]
            assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(columns)}
            bare = table.replace(r"\{", "").replace(r"\}", "")
            assert bare.count("{") == bare.count("}")
            assert len(re.findall(r"(?<!\\)\$", bare)) % 2 == 0


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_compiles_it(comparison, tmp_path):
    tables = latex(comparison) + latex(compare_with_baselines(synthetic_summary(3)))
    document = rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}{tables}\end{{document}}"
    (tmp_path / "tables.tex").write_text(document)
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout[-2000:]


def test_special_characters_of_latex_are_escaped():
    assert literal("a_b & 5% {x} ~ ^ # $ \\") == (
        r"a\_b \& 5\% \{x\} \textasciitilde{} \textasciicircum{} \# \$ \textbackslash{}"
    )
    assert literal("|x| ≥ 4 ± 1") == r"$|$x$|$ $\geq$ 4 $\pm$ 1"


def test_three_files_are_written(comparison, tmp_path):
    paths = write_comparison(tmp_path / "new", comparison)
    assert [path.name for path in paths] == ["comparison.json", "comparison.csv", "comparison.tex"]
    content = json.loads(paths[0].read_text())
    assert content["models"] == list(comparison.models)
    assert content["run"]["versions"]["ct2pet"]
    assert paths[1].read_text() == csv_text(comparison)
    assert paths[2].read_text() == latex(comparison)
