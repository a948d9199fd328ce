"""Commands as people type them."""

from typer.testing import CliRunner

from kdutils import cli

TINY = ["--student", "tiny", "--method", "ce", "--images-per-class", "13", "--epochs", "1"]


def run(*words: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `kdutils words...`."""
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr
