"""A desk of its own for each test, whose threads give their connections back."""

import pytest
from django.db import connection

from proxyapp.conversations.desk import THREADS, Desk


@pytest.fixture
def desk(transactional_db):
    made = Desk(seconds=10)
    yield made
    for closed in [made._threads.submit(lambda: connection.close()) for _ in range(THREADS * 3)]:
        closed.result()
    made.close()
