"""The declarative file from text to typed values: every mistake is told with its path."""

import json

import pytest

from proxyapp.config.reading import DeclarationError, read


@pytest.fixture
def problems(tmp_path):
    """The sentences that a text is refused with."""

    def call(text, **environ):
        with pytest.raises(DeclarationError) as caught:
            read(text, environ=environ, directory=tmp_path)
        return caught.value.problems

    return call


@pytest.fixture
def document(tmp_path):
    def call(text, **environ):
        return read(text, environ=environ, directory=tmp_path)

    return call


def test_yaml_and_json_mean_the_same(document):
    data = {"models": [{"name": "m", "aliases": ["n"], "routes": [{"upstream": "u", "model": "x"}]}]}
    yaml = "models:\n  - name: m\n    aliases: [n]\n    routes:\n      - {upstream: u, model: x}\n"
    assert document(json.dumps(data)) == document(yaml)


def test_a_section_that_is_left_out_differs_from_an_empty_one(document):
    assert document("models: []").models == []
    assert document("models: []").upstreams is None
    assert document("").models is None


def test_plain_words_stay_words(document):
    read = document(
        "models: [{name: m, reasoning: off}]\nclients: [{name: no, keys: [{name: on, expires: 2027-01-31}]}]"
    )
    assert read.models[0].reasoning == "off"
    assert read.clients[0].name == "no"
    assert read.clients[0].keys[0].expires == "2027-01-31"


def test_unknown_words_are_told_with_the_nearest_known_one(problems):
    assert problems("modls: []") == ["modls: unknown; did you mean 'models'?"]
    assert problems("models: [{name: m, rotes: []}]") == ["models[0].rotes: unknown; did you mean 'routes'?"]
    assert problems("upstreams: [{name: u, kind: openai, timeouts: {conect: 1}}]") == [
        "upstreams[0].timeouts.conect: unknown; did you mean 'connect'?"
    ]
    assert problems("zzz: 1") == ["zzz: unknown; known here: proxy_pools, upstreams, models, clients"]


def test_all_unknown_words_are_told_at_once(problems):
    assert len(problems("a: 1\nb: 2\nmodels: [{name: m, x: 1}]")) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("models: [{}]", "models[0]: name is missing"),
        ("models: [{name: 3}]", "models[0].name: must be text, not a whole number; put it in quotes"),
        ("models: [{name: m, reasoning: of}]",
         "models[0].reasoning: must be one of auto, off, low, medium, high, xhigh, "
         "not 'of'"),
        ("models: [{name: m, routes: [{upstream: u, priority: x}]}]", "models[0].routes[0].priority: must be a whole "
         "number, not text"),
        ("models: [{name: m, max_output_tokens: 0}]",
         "models[0].max_output_tokens: must be a whole number, at least 1"),
        ("models: [{name: ''}]", "models[0].name: must have at least 1 character"),
        ("models: {name: m}", "models: must be a list, not an object"),
        ("clients: [{name: c, budget: {usd: .inf}}]", "clients[0].budget.usd: must be a number, at most 1,000,000,000"),
        ("models: &a [*a]", "The file is nested too deeply, or refers to itself."),
        ("a: &a [" + "x," * 99 + "]\nb: &b [" + "*a," * 99 + "]\nc: &c [" + "*b," * 99 + "]\nmodels: [*c, *c, *c]",
         "With its references (*name) written out, the file holds over 2,000,000 values."),
        ("models: !!int many", "The file cannot be read: a tag or a number in it makes no sense."),
        ('{"models": [{"name": "m", "name": "n"}]}', "'name' is given twice in one object."),
        ("models: [b", "line 1, column 11: expected ',' or ']', but got '<stream end>'"),
        ("models: []\nmodels: []", "line 2, column 1: 'models' is given twice"),
        ("? [a]\n: b", "line 1, column 3: a key must be a word"),
        ("- a", "The file must be an object with proxy_pools, upstreams, models, clients."),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(problems, text, problem):
    assert problems(text) == [problem]


def test_every_object_of_a_wrong_type_is_told(problems):
    assert len(problems("models: [{name: 1}, {name: m}, {name: n, lenient: maybe}]\nclients: [{}]")) == 3


def test_json_is_read_as_json(document):
    text = json.dumps({"clients": [{"name": "🐉", "budget": {"usd": 1e8}}]}, indent="\t")
    assert "\\ud83d\\udc09" in text
    assert (document(text).clients[0].name, document(text).clients[0].budget.usd) == ("🐉", 1e8)
    assert document("\ufeff" + text) == document(text)


def test_a_pair_of_escapes_is_one_character_in_yaml_too(document):
    assert document('models: [{name: "\\ud83d\\udc09"}]').models[0].name == "🐉"


@pytest.mark.parametrize("character", ["\\ud83d", "\\u0000"])
@pytest.mark.parametrize("text", ['{{"clients": [{{"name": "a{}"}}]}}', 'clients: [{{name: "a{}"}}]'])
def test_what_no_database_keeps_is_told(problems, text, character):
    [problem] = problems(text.format(character))
    assert problem.startswith(f"clients[0].name: holds U+{character[2:].upper()}")


def test_references_are_resolved_where_secrets_stand(document, tmp_path):
    (tmp_path / "key").write_text("from-the-file\n")
    text = """
    upstreams:
      - name: u
        kind: openai
        headers: {x-a: "env:HEADER", x-b: plain}
        keys:
          - {name: a, value: "env:KEY"}
          - {name: b, value: "file:key"}
    """
    upstream = document(text, KEY="from-the-environment", HEADER="blue").upstreams[0]
    assert [key.value for key in upstream.keys] == ["from-the-environment", "from-the-file"]
    assert upstream.headers == {"x-a": "blue", "x-b": "plain"}


def test_ordinary_text_is_no_reference(document):
    assert document('clients: [{name: c, note: "env:HOME"}]').clients[0].note == "env:HOME"
    assert document('models: [{name: m, system_prompt: "file: read it"}]').models[0].system_prompt == "file: read it"


def test_missing_references_are_named(problems):
    text = 'upstreams: [{name: u, kind: openai, keys: [{name: a, value: "env:NOPE"}, {name: b, value: "file:nope"}]}]'
    assert problems(text) == [
        "upstreams[0].keys[0].value: the environment variable NOPE is not set",
        "upstreams[0].keys[1].value: the file nope cannot be read (No such file or directory)",
    ]


@pytest.mark.parametrize("value", ["env:", "env: KEY", "env:A-B", "file:"])
def test_a_reference_with_a_slip_is_no_key(problems, value):
    text = f'upstreams: [{{name: u, kind: openai, keys: [{{name: a, value: "{value}"}}]}}]'
    assert problems(text) == ["upstreams[0].keys[0].value: a reference is env:NAME or file:PATH, without a space"]


def test_a_secret_of_the_wrong_type_is_not_repeated(problems):
    text = 'upstreams: [{name: u, kind: openai, keys: [{name: a, value: {oops: "sk-secret"}}]}]'
    assert "sk-secret" not in str(problems(text))


def test_what_only_looks_like_a_reference_can_be_said(tmp_path):
    text = """upstreams: [{name: u, kind: openai, system_prompt: "literal:env:NO", headers: {x: "literal:literal:"}}]"""
    [upstream] = read(text, environ={}, directory=tmp_path).upstreams
    assert upstream.system_prompt == "env:NO"
    assert upstream.headers == {"x": "literal:"}
