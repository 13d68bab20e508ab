#!/usr/bin/env python3
"""The hub of tests/cases/store, which galen pulls from, against Hugging Face's own client (huggingface_hub of the reference
environment): the client must find in its lists, headers and refusals what galen finds there, and galen must read in place the
cache that the client fills. GALEN_BIN names the program.
"""

import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "cases/store"))
from hub_server import COMMIT, git_sha1, sha256  # noqa: E402
from run import TINY, TOKEN, Place, tiny_repo, tokens  # noqa: E402


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def check(folder):
    place = Place(folder)
    home = str(Path(folder) / "hf")
    os.environ.update(HF_HOME=home, HF_ENDPOINT=place.site.url, HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_TELEMETRY="1",
                      HF_HUB_DISABLE_PROGRESS_BARS="1")
    os.environ.pop("HF_TOKEN", None)
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    repo = place.site.repos["acme/tiny"] = tiny_repo(gated="manual", token=TOKEN)
    place.site.accounts[TOKEN] = "ada"
    api = HfApi(token=TOKEN)
    assert api.whoami()["name"] == "ada"
    info = api.model_info("acme/tiny", files_metadata=True)
    assert place.site.seen[-1][2] == "/api/models/acme/tiny", place.site.seen[-1]
    assert info.sha == COMMIT and info.gated == "manual" and info.card_data.license == "apache-2.0"
    for file in info.siblings:
        data = repo.files[file.rfilename]
        assert file.size == len(data) and file.blob_id == git_sha1(data), file
        assert file.rfilename not in repo.lfs or file.lfs.sha256 == sha256(data), file
    raises(RepositoryNotFoundError, lambda: api.model_info("acme/none"))
    raises(RevisionNotFoundError, lambda: api.model_info("acme/tiny", revision="v9"))
    raises(GatedRepoError, lambda: HfApi(token=False).hf_hub_download("acme/tiny", "config.json"))
    snapshot_download("acme/tiny", token=TOKEN)
    seen = place.site.requests("/signed/", "cdn")
    assert seen and all("Authorization" not in {k.title() for k in h} for _, _, _, h in seen)
    cache = {"HF_HOME": home}
    (model,) = place.list("--check", env=cache)["models"]
    assert model["name"] == "hf:acme/tiny" and model["place"] == "hf-cache" and model["check"] == "ok", model
    assert model["revision"] == COMMIT and model["bytes"] == sum(map(len, repo.files.values())), model
    place.env.update(cache)
    assert tokens(place, "hf:acme/tiny") == tokens(place, TINY / "gemma3")
    place.site.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="galen_store_") as parent:
        check(parent)
    print("Hugging Face's client and galen agree on the hub's protocol and on its cache")
