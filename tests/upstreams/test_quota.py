"""What headers tell of limits: each family's names, each form of a reset, and nonsense."""

from __future__ import annotations

import pytest

from proxyapp.upstreams.quota import Window, moment, spent_until, windows

NOW = 1_790_000_000.0


def test_openais_headers_tell_requests_and_tokens():
    told = windows(
        {
            "x-ratelimit-limit-requests": "5000",
            "x-ratelimit-remaining-requests": "4999",
            "x-ratelimit-reset-requests": "12ms",
            "x-ratelimit-limit-tokens": "160000",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        NOW,
    )
    assert told == (Window("requests", 5000, 4999, NOW + 0.012), Window("tokens", 160000, 0, NOW + 360))
    assert spent_until(told) == NOW + 360


def test_anthropics_headers_tell_dates():
    told = windows(
        {
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "39000",
            "anthropic-ratelimit-input-tokens-reset": "2026-09-21T13:33:20Z",
            "anthropic-ratelimit-requests-remaining": "3",
        },
        NOW,
    )
    assert told == (Window("requests", None, 3, None), Window("input-tokens", 40000, 39000, 1_789_997_600.0))
    assert spent_until(told) is None


def test_a_plain_limit_counts_requests_and_gives_way_to_a_named_one():
    plain = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1790000060000"}
    assert windows(plain, NOW) == (Window("requests", 20, 0, NOW + 60),)
    named = {**plain, "x-ratelimit-limit-requests": "7"}
    assert windows(named, NOW) == (Window("requests", 7, None, None),)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("12", NOW + 12),
        ("0", NOW),
        ("0.5", NOW + 0.5),
        ("1790000030", 1_790_000_030.0),
        ("1790000030000", 1_790_000_030.0),
        ("1m30.5s", NOW + 90.5),
        ("1h", NOW + 3600),
        ("1d2h", NOW + 93_600),
        ("2026-09-21T13:33:20+00:00", 1_789_997_600.0),
        ("2026-09-21T13:33:20", 1_789_997_600.0),
        ("soon", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1x", None),
        ("9" * 39, None),
        ("9" * 500, None),
        ("", None),
        (None, None),
    ],
)
def test_a_reset_is_read_in_every_form(value, expected):
    assert moment(value, NOW) == expected


def test_numbers_that_say_nothing_are_left_out():
    assert windows({"x-ratelimit-limit-tokens": "-1", "x-ratelimit-remaining-tokens": "many"}, NOW) == ()
    assert windows({"content-type": "text/plain"}, NOW) == ()
