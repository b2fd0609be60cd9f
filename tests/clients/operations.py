"""Every operation of the OpenAI API, and which of them a request is."""

from pathlib import Path

LIST = Path(__file__).parents[2] / "crates/proxy/src/openai/endpoint/operations.txt"

# Nothing is made, named or listed by these: they ask a model, or check something, and that is all.
WITHOUT_OBJECTS = {
    "POST /audio/speech",
    "POST /audio/transcriptions",
    "POST /audio/translations",
    "POST /completions",
    "POST /content_provenance_checks",
    "POST /embeddings",
    "POST /fine_tuning/alpha/graders/run",
    "POST /fine_tuning/alpha/graders/validate",
    "POST /images/edits",
    "POST /images/generations",
    "POST /images/variations",
    "POST /moderations",
    "POST /realtime/client_secrets",
    "POST /realtime/sessions",
    "POST /realtime/transcription_sessions",
    "POST /realtime/translations/client_secrets",
    "POST /responses/compact",
    "POST /responses/input_tokens",
}

# The catalogue is the gateway's own.
CATALOGUE = {"GET /models", "GET /models/{model}"}


def stateful() -> set[str]:
    """The operations that make, name or list objects, as `METHOD /path/{template}`; administration aside."""
    listed = {line for line in LIST.read_text().splitlines() if not line.startswith("#") and "?" not in line}
    administration = {line for line in listed if line.split(" ")[1].startswith(("/organization/", "/projects/"))}
    unknown = (WITHOUT_OBJECTS | CATALOGUE) - listed
    assert not unknown, unknown
    return listed - administration - WITHOUT_OBJECTS - CATALOGUE


OPERATIONS = sorted(stateful())


def operation(method: str, path: str) -> str | None:
    """Which operation asks for this path below the version."""
    segments = path.split("/")
    fits = []
    for line in OPERATIONS:
        wanted = line.partition(" ")[2].split("/")
        if line.startswith(f"{method} ") and len(wanted) == len(segments):
            parameters = [part.startswith("{") for part in wanted]
            if all(free or part == segment for free, part, segment in zip(parameters, wanted, segments, strict=True)):
                # A word counts more than a parameter: /threads/runs is no thread.
                fits.append((parameters, line))
    return min(fits)[1] if fits else None
