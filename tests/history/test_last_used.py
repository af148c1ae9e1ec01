"""The history tells each key when it was last used."""

from datetime import UTC, datetime

import pytest

from accounts.models import ApiKey, Client
from proxyapp.engine.record import Content
from proxyapp.history.writer import Writer
from proxyapp.models import RequestLog
from proxyapp.models.config import current_version

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def laptop():
    return a_key("laptop")


def a_key(name):
    client, _ = Client.objects.get_or_create(name="alice")
    return ApiKey.objects.create(client=client, name=name, digest=name)


@pytest.fixture
def written(tmp_path, journal, an_exchange):
    """Write exchanges of (number, key id); number is the second at which one began."""

    def write(*exchanges):
        for number, key_id in exchanges:
            journal.end(an_exchange(number, begun={"key_id": key_id, "started": float(number)}))
        assert Writer(tmp_path, journal).flush()

    return write


def last_used(key):
    moment = ApiKey.objects.get(pk=key.pk).last_used_at
    return moment and moment.timestamp()


def test_a_key_bears_the_time_of_its_latest_request(written, laptop):
    phone, unused = a_key("phone"), a_key("unused")
    written((30, laptop.pk), (10, phone.pk), (20, laptop.pk), (40, None), (50, 10**6))
    assert (last_used(laptop), last_used(phone), last_used(unused)) == (30, 10, None)
    assert RequestLog.objects.count() == 5


def test_the_time_never_goes_back(written, laptop):
    written((30, laptop.pk))
    written((20, laptop.pk))
    assert last_used(laptop) == 30
    written((31, laptop.pk))
    assert last_used(laptop) == 31


def test_it_costs_one_update_a_key_and_no_change_of_the_configuration(written, laptop, django_assert_max_num_queries):
    phone = a_key("phone")
    before = current_version()
    with django_assert_max_num_queries(60) as asked:
        written(*[(number, (laptop, phone)[number % 2].pk) for number in range(20, 0, -1)])
    updates = [query["sql"] for query in asked.captured_queries if query["sql"].startswith("UPDATE")]
    assert len(updates) == 2
    assert all('"last_used_at"' in sql for sql in updates)
    assert (last_used(laptop), last_used(phone)) == (20, 19)
    assert current_version() == before


def test_a_record_that_is_written_again_changes_nothing(written, laptop):
    written((30, laptop.pk))
    ApiKey.objects.update(last_used_at=datetime.fromtimestamp(10, UTC))
    written((30, laptop.pk))
    assert last_used(laptop) == 10


def test_a_request_that_was_refused_counts_too(journal, tmp_path, an_exchange, laptop):
    journal.end(an_exchange(5, begun={"key_id": laptop.pk}, status=429, outcome="error", content=Content()))
    assert Writer(tmp_path, journal).flush()
    assert last_used(laptop) is not None
