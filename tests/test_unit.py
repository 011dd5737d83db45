"""Are the settings of the installed unit found wherever systemd would read them?"""

import sys

import pytest

from app import unit

START = f"[Service]\nExecStart={sys.prefix}/bin/python wsgi.py\n"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three folders of units in the order in which they count."""
    folders = tuple(tmp_path / name for name in ("etc", "run", "usr"))
    for folder in folders:
        (folder / f"{unit.UNIT}.d").mkdir(parents=True)
    monkeypatch.setattr(unit, "FOLDERS", folders)
    return folders


def database(name):
    return f"Environment=NVR_DATABASE_URL=sqlite:////srv/{name}.db\n"


def test_without_a_unit_nothing_is_set(folders):
    assert unit.read_unit() == unit.Unit()


def test_the_unit_of_the_first_folder_counts(folders):
    for folder in reversed(folders[1:]):
        (folder / unit.UNIT).write_text(START + database(folder.name))
    found = unit.read_unit()
    assert found.path == str(folders[1] / unit.UNIT)
    assert found.environment == {"NVR_DATABASE_URL": "sqlite:////srv/run.db"}


def test_drop_ins_of_all_folders_count_in_the_order_of_their_names(folders):
    etc, run, usr = folders
    (usr / unit.UNIT).write_text(START + database("unit"))
    (run / f"{unit.UNIT}.d" / "50-b.conf").write_text("[Service]\n" + database("b"))
    (etc / f"{unit.UNIT}.d" / "10-a.conf").write_text("[Service]\n" + database("a"))
    assert unit.read_unit().environment["NVR_DATABASE_URL"].endswith("/b.db")
    (etc / f"{unit.UNIT}.d" / "50-b.conf").symlink_to("/dev/null")  # `systemctl mask`
    assert unit.read_unit().environment["NVR_DATABASE_URL"].endswith("/a.db")


def test_an_empty_value_resets_those_before_it(folders, tmp_path):
    (tmp_path / "first.env").write_text("NVR_PORT=1\nNVR_KEEP_DAYS=1\n")
    (tmp_path / "second.env").write_text("NVR_KEEP_DAYS=2\n")
    (folders[0] / unit.UNIT).write_text(
        f"{START}{database('a')}EnvironmentFile=-{tmp_path}/first.env\nProtectHome=yes\n"
    )
    (folders[0] / f"{unit.UNIT}.d" / "override.conf").write_text(
        f"[Service]\nEnvironment=\nEnvironmentFile=\nEnvironmentFile={tmp_path}/second.env\n"
        "ProtectHome=no\n"
    )
    found = unit.read_unit()
    assert found.environment == {"NVR_KEEP_DAYS": "2"}
    assert found.hides("/home/pi/cams") is None


def test_several_values_stand_in_one_line_and_a_broken_one_is_skipped(folders):
    (folders[0] / unit.UNIT).write_text(
        START + 'Environment=NVR_PORT=81 "NVR_WALL_TITLE=Our house" \\\n NVR_WATCH=off\n'
        "Environment=NVR_WALL_TITLE=Pi's\n"
    )
    found = unit.read_unit().environment
    assert found == {"NVR_PORT": "81", "NVR_WALL_TITLE": "Our house", "NVR_WATCH": "off"}


def test_a_unit_that_starts_another_installation_does_not_count(folders):
    (folders[0] / unit.UNIT).write_text("[Service]\nExecStart=/opt/other/python wsgi.py\n")
    assert unit.read_unit() == unit.Unit()


@pytest.mark.parametrize(
    ("directives", "is_read_only"),
    [
        ("", False),
        ("ProtectSystem=full\n", False),
        ("ProtectSystem=strict\n", True),
        ("ReadOnlyPaths=-/export/foscam\n", True),
        ("ReadOnlyPaths=/srv /export\n", True),
        ("ProtectSystem=strict\nReadWritePaths=/var/lib /export/foscam\n", False),
        ("ReadOnlyPaths=/export\nReadWritePaths=/export/foscam\n", False),
        ("ReadWritePaths=/export\nReadOnlyPaths=-/export/foscam\n", True),
        ("ReadOnlyPaths=/export/foscam\nReadOnlyPaths=\nReadWritePaths=/export/foscam\n", False),
        ("ReadOnlyPaths=/export/foscam2\n", False),
    ],
)
def test_the_nearest_folder_decides_whether_the_service_may_write(
    folders, directives, is_read_only
):
    (folders[0] / unit.UNIT).write_text(START + directives)
    assert unit.read_unit().makes_read_only("/export/foscam") is is_read_only
    assert bool(unit.how_to_delete("/export/foscam")) is is_read_only


def test_what_the_advice_on_deletion_says_to_write_lets_the_service_delete(folders):
    (folders[0] / unit.UNIT).write_text(f"{START}ProtectSystem=strict\nReadOnlyPaths=-/srv/cams\n")
    advice = unit.how_to_delete("/srv/cams")
    lines = [word.rstrip(",") for word in advice.split() if word.startswith(("[Serv", "Read"))]
    (folders[0] / f"{unit.UNIT}.d" / "override.conf").write_text("\n".join(lines))
    assert unit.how_to_delete("/srv/cams") == ""
