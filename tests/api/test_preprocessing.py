import subprocess
import sys


def test_preprocessing_does_not_wait_for_torch_or_statistics():
    """Loading them takes about as long as a whole-body case."""
    code = "import sys, ct2pet.api.preprocessing; print({'torch', 'scipy.stats', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
