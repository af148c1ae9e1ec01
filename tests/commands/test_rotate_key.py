"""`rotate_key`: the new key on standard output, the old one as long as was said."""

import pytest
from django.core.management import CommandError

from accounts.issuing import issue
from accounts.models import Client
from proxyapp.config.build import build_snapshot
from proxyapp.engine.identify import identify

pytestmark = pytest.mark.django_db


@pytest.fixture
def laptop(db):
    return issue(Client.objects.create(name="alice"), "laptop")


def test_the_new_key_is_printed_alone_and_the_old_one_goes_on(run, laptop):
    row, old = laptop
    out, err = run("rotate_key", "alice", "laptop", "--overlap", "24h")
    new = out.strip()
    assert (new[:6], "goes on until" in err, new in err) == ("sk-dg-", True, False)
    assert {identify(build_snapshot(), {"x-api-key": key}).key.id for key in (old, new)} == {row.pk}
    assert "is refused" in run("rotate_key", "alice", "laptop")[1]


@pytest.mark.parametrize("words", [("bob", "laptop"), ("alice", "phone"), ("alice", "laptop", "--overlap", "soon")])
def test_what_is_wrong_is_said_and_nothing_is_renewed(run, laptop, words):
    with pytest.raises(CommandError):
        run("rotate_key", *words)
    laptop[0].refresh_from_db()
    assert laptop[0].previous_digest is None
