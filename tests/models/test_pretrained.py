"""Published weights by name: a local file first, fetched once, checked each time; no network is one clear message."""

import hashlib
import re
from urllib.error import URLError

import pytest
import torch
from typer.testing import CliRunner

from kdutils import _files, cli, models, runs, sweep
from kdutils.errors import UserError
from kdutils.models import pretrained


@pytest.fixture
def model():
    torch.manual_seed(1)
    return models.build("resnet8", 10)


@pytest.fixture
def publish(tmp_path, monkeypatch):
    """Publish weights for resnet8 at a file:// address, which torch.hub fetches; `{hash}` in it is its SHA-256's."""

    def publish(weights, name):
        path = tmp_path / "server" / "weights"
        path.parent.mkdir(exist_ok=True)
        torch.save(weights, path)
        path = path.rename(path.with_name(name.format(hash=hashlib.sha256(path.read_bytes()).hexdigest()[:8])))
        monkeypatch.setitem(pretrained.PUBLISHED, "us", {"resnet8": path.as_uri()})
        return path

    return publish


def fresh():
    torch.manual_seed(2)
    return models.build("resnet8", 10)


def same(ours, theirs):
    return torch.equal(ours.fc.weight, theirs.fc.weight)


def test_a_file_whose_name_carries_its_hash(model, publish, tmp_path):
    source = publish(model.state_dict(), "resnet8-{hash}.pt")
    assert same(models.load_pretrained(fresh(), "us", tmp_path / "kept"), model)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == [source.name]


def test_a_file_without_a_hash_is_recorded_and_checked_after(model, publish, tmp_path):
    source = publish({"model": model.state_dict()}, "ckpt_epoch_240.pth")
    kept = tmp_path / "kept"
    assert same(models.load_pretrained(fresh(), "us", kept), model)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert (kept / "us_resnet8.pth.sha256").read_text() == f"{digest}  us_resnet8.pth\n"
    torch.save(fresh().state_dict(), kept / "us_resnet8.pth")
    with pytest.raises(UserError, match=f"us_resnet8.pth is damaged .* expected {digest[:8]}"):
        models.load_pretrained(fresh(), "us", kept)


def test_a_known_hash_is_checked_at_first_use(model, publish, tmp_path, monkeypatch):
    publish(model.state_dict(), "ckpt_epoch_240.pth")
    monkeypatch.setitem(pretrained.KNOWN_HASHES, "us_resnet8.pth", "0" * 64)
    with pytest.raises(UserError, match="expected 00000000"):
        models.load_pretrained(fresh(), "us", tmp_path / "kept")


def test_what_was_fetched_is_not_fetched_again(model, publish, tmp_path):
    source = publish(model.state_dict(), "resnet8-{hash}.pt")
    models.load_pretrained(fresh(), "us", tmp_path / "kept")
    source.unlink()
    assert same(models.load_pretrained(fresh(), "us", tmp_path / "kept"), model)


def test_another_file_under_a_hashed_name_is_refused_and_not_kept(model, publish, tmp_path):
    source = publish(model.state_dict(), "resnet8-{hash}.pt")
    torch.save(fresh().state_dict(), source)
    with pytest.raises(UserError, match="another hash than its name says; nothing was kept"):
        models.load_pretrained(fresh(), "us", tmp_path / "kept")
    assert not list((tmp_path / "kept").iterdir())


def test_a_kept_file_that_was_damaged_is_refused(model, publish, tmp_path):
    source = publish(model.state_dict(), "resnet8-{hash}.pt")
    models.load_pretrained(fresh(), "us", tmp_path / "kept")
    (tmp_path / "kept" / source.name).write_bytes(source.read_bytes()[:-1])
    with pytest.raises(UserError, match="damaged or is not the published file"):
        models.load_pretrained(fresh(), "us", tmp_path / "kept")


def test_a_local_file_comes_first(model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetched"))
    torch.save(model.state_dict(), tmp_path / "mine.pth")
    assert same(models.load_pretrained(fresh(), tmp_path / "mine.pth"), model)


def test_no_network_is_one_message_with_the_address_and_the_place(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError) as caught:
        models.load_pretrained(models.build("resnet56", 100), "crd", tmp_path)
    message = str(caught.value)
    assert "http://shape2prog.csail.mit.edu/repo/resnet56_vanilla/ckpt_epoch_240.pth (Name or service" in message
    assert f"save it as {tmp_path / 'crd_resnet56.pth'}" in message
    assert "\n" not in message


def test_fetched_files_lie_with_torch_hubs_own(monkeypatch, tmp_path, model, publish):
    source = publish(model.state_dict(), "resnet8-{hash}.pt")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert pretrained.fetch("resnet8", "us") == tmp_path / "hub" / "checkpoints" / source.name


def test_a_specification_names_a_publisher_and_means_its_file(publish, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    torch.manual_seed(1)
    teacher = models.build("resnet8", 10, 16)
    source = publish({"model": teacher.state_dict()}, "ckpt_epoch_240.pth")
    by_name = runs.RunSpec(teacher="resnet8", student="tiny", teacher_weights="us")
    by_name.fetch()
    assert same(runs.load_teacher(by_name), teacher)
    assert by_name.key() == runs.RunSpec(teacher="resnet8", student="tiny", teacher_weights=str(source)).key()
    with pytest.raises(UserError, match="unknown network of us 'resnet20'"):
        runs.RunSpec(teacher="resnet20", student="tiny", teacher_weights="us").key()


def test_asking_for_a_key_fetches_nothing(publish, model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    source = publish(model.state_dict(), "ckpt_epoch_240.pth")
    options = dict(teacher="resnet8", teacher_weights="us", epochs=1, images_per_class=7)
    for spec in (runs.RunSpec(student="tiny", **options), runs.RankSpec(teacher="resnet8", teacher_weights="us")):
        with pytest.raises(UserError, match=r"the weights file:.* are not here yet, .*save that file as .*us_resnet8"):
            spec.key()
    assert not (tmp_path / "hub").exists()
    monkeypatch.setitem(pretrained.KNOWN_HASHES, "us_resnet8.pth", _files.sha256(source))
    known = runs.RunSpec(student="tiny", **options).key()
    assert not (tmp_path / "hub").exists()
    runs.RunSpec(student="tiny", **options).fetch()
    assert (tmp_path / "hub").exists()
    assert runs.RunSpec(student="tiny", **options).key() == known


@pytest.mark.filterwarnings("ignore:.*the teacher agrees with")  # its weights are random
def test_a_run_a_ranking_and_a_sweep_fetch_what_they_need(publish, tmp_path, monkeypatch):
    torch.manual_seed(1)
    publish(models.build("resnet8", 10, 16).state_dict(), "ckpt_epoch_240.pth")
    run = runs.RunSpec(teacher="resnet8", teacher_weights="us", student="tiny", epochs=1, images_per_class=7)
    ranking = runs.RankSpec(teacher="resnet8", teacher_weights="us", steps=15, schemes=("flip",))
    ways = [lambda s: runs.run(run, s), lambda s: runs.rank(ranking, s), lambda s: sweep.sweep([run], s, workers=0)]
    for number, way in enumerate(ways):
        monkeypatch.setattr(torch.hub, "get_dir", lambda number=number: str(tmp_path / f"hub{number}"))
        way(tmp_path / f"store{number}")
        assert (tmp_path / f"hub{number}" / "checkpoints" / "us_resnet8.pth").is_file()


def test_a_plan_of_weights_that_are_not_here_is_a_line(publish, model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    publish(model.state_dict(), "ckpt_epoch_240.pth")
    words = ["sweep", "--pair", "resnet8/tiny", "--weights", "us", "--store", str(tmp_path / "store"), "--dry-run"]
    done = CliRunner().invoke(cli.app, words)
    assert done.exit_code == 1
    assert "are not here yet, and a run is known by their content" in done.stderr
    assert not (tmp_path / "hub").exists()


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="no weights at crb: name a file that exists, or one of: crd, chenyaofo"):
        models.load_pretrained(fresh(), "crb")
    with pytest.raises(UserError, match=r"unknown network of crd 'resnet8'.*Choose one of: wrn_40_2"):
        models.load_pretrained(fresh(), "crd")


@pytest.mark.parametrize("publisher", pretrained.PUBLISHED)
def test_every_published_network_is_in_the_zoo(publisher):
    addresses = pretrained.PUBLISHED[publisher]
    assert addresses.keys() <= models.NETWORKS.keys()
    for name, address in addresses.items():
        assert name in address
        assert publisher == "crd" or re.search(r"-[0-9a-f]{8}\.pth?$", address)
