"""A process that works in a folder until it is killed: python hold_lock.py FOLDER"""

import subprocess
import sys
import time

from ct2pet.locks import folder_lock

if __name__ == "__main__":
    with folder_lock(sys.argv[1], "a training"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])  # which must not hold the lock too
        print("locked", flush=True)
        time.sleep(120)
