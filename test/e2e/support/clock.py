"""The clock of a program that a test runs (libfaketime)."""

import os
import threading

from support.dockpass import FAKETIME


class Clock:
    """It stands where it was set. Timeouts go on: they count real seconds.
    `lock`: for one of several threads that needs it to stay there."""

    def __init__(self, folder):
        self.lock = threading.Lock()
        self.file = folder / "clock"

    def set(self, when):
        """`when`: seconds since 1970; the program sees it at once."""
        new = self.file.with_suffix(".new")
        new.write_text(str(when))
        os.replace(new, self.file)

    def env(self, zone="UTC"):
        """What the program's environment must say. `zone`: its TZ."""
        return {# Its file is none of dockpass.
                "DOCKPASS_SANDBOX": "false",
                "LD_PRELOAD": str(FAKETIME.with_name("libfaketimeMT.so.1")),
                "FAKETIME_TIMESTAMP_FILE": str(self.file),
                "FAKETIME_FMT": "%s", "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_RESET": "1", "TZ": zone,
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                # A sanitizer wants to be the first library of all.
                "ASAN_OPTIONS": "verify_asan_link_order=0"}
