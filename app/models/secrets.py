"""Which random keys has the service made for itself?"""

from peewee import TextField

from .base import Record, rows


class Secret(Record):
    """A random key that the service made for itself; it goes where the database goes."""

    name = TextField(primary_key=True)
    # 64 hexadecimal digits.
    value = TextField()

    @classmethod
    def write_nothing(cls) -> None:
        """A write of no row, which fails where the file cannot be written."""
        cls.delete().where(cls.name == "").execute()

    @classmethod
    def named(cls, name: str) -> str:
        """The key of this name."""
        return str(rows(cls.select(cls.value).where(cls.name == name))[0]["value"])
