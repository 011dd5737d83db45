"""Which files are passed over in a camera's folder, and what should be done about them?"""

from typing import NamedTuple


class PassedOver(NamedTuple):
    """A row: what `survey.Survey` counts it as, its word, and its sentence with what is known."""

    kind: str
    code: str
    sentence: str


PASSED_OVER = (
    PassedOver(
        "empty",
        "empty_files",
        "Empty files with a picture's name: {n}. The upload broke off at once, or the disk was "
        "full. Check the free space and the FTP server's log, and delete them.",
    ),
    PassedOver(
        "too_large",
        "too_large",
        "Pictures of more than {bytes} bytes, which are passed over: {n}. Let the camera upload "
        "smaller ones, or raise NVR_MAX_PICTURE_BYTES.",
    ),
    PassedOver(
        "unreadable",
        "unreadable_files",
        "Pictures that the service's user {user} may not read: {n}. Set the FTP server's umask to "
        "022, and run chmod o+r on those that are there.",
    ),
    PassedOver(
        "closed",
        "closed_folders",
        "Sub-folders that the service's user {user} may not read: {n}. Set the FTP server's umask "
        "to 022, and run chmod o+rx on those that are there.",
    ),
    PassedOver(
        "broken",
        "broken_folders",
        "Folders that cannot be listed because the disk or the network fails: {n}. Check the "
        "kernel's log (dmesg), the cable and the mount.",
    ),
    PassedOver(
        "links",
        "links_inside",
        "Links in the folder, which are passed over: {n}. Links are never followed; replace them "
        "with what they lead to.",
    ),
    PassedOver(
        "too_deep",
        "too_deep",
        "Folders that are nested too deeply and are passed over: {n}. Let the camera use fewer "
        "sub-folders.",
    ),
)
