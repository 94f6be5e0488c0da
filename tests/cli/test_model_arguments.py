"""The same option has the same meaning in all commands that choose trained models."""

import argparse
import importlib

import pytest

from ct2pet import layout
from ct2pet.__main__ import commands

COMMANDS = commands()
TRAINED = ("accumulate_crossval_results", "export_model", "explain", "predict", "synthesize")


def actions(name):
    parser = argparse.ArgumentParser()
    importlib.import_module(f"ct2pet.cli.{name}").add_arguments(parser)
    return {(action.option_strings or [action.metavar])[0]: action for action in parser._actions}


def shape(action):
    return action.dest, action.metavar, action.nargs, action.default, action.help


@pytest.mark.parametrize("flag", ["-m", "-p"])
def test_commands_that_use_one_trained_model_choose_it_by_the_same_arguments(flag):
    assert len({shape(actions(name)[flag]) for name in TRAINED}) == 1


def test_the_name_of_plans_is_stored_under_one_name_everywhere():
    found = {name: actions(name)["-p"] for name in COMMANDS if "-p" in actions(name)}
    assert {action.dest for name, action in found.items() if name != "find_best_configuration"} == {"plans_name"}
    assert {action.metavar for action in found.values()} == {"PLANS"}
    assert {action.default for action in found.values()} == {None, layout.DEFAULT_PLANS}


@pytest.mark.parametrize("flag", ["-c", "-chk", "-np", "-step_size", "--disable_tta", "--float32", "--ensemble"])
def test_shared_options_have_one_help_text(flag):
    assert len({shape(found[flag]) for name in COMMANDS if flag in (found := actions(name))}) == 1


def test_every_argument_has_a_help_text():
    for name in COMMANDS:
        for flag, action in actions(name).items():
            text = (action.help or "").split("(default")[0].strip()
            assert text, f"{name} {flag}"
