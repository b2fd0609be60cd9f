"""What a program does with objects, through the Python SDK: makes one of every kind, uses each in every way, removes it."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace

from openai import OpenAI

# The ids of one object of each kind.
Made = SimpleNamespace


# A model that every channel serves, so that only an object can tell where a call belongs.
BOTH = "both"
MESSAGE = {"type": "message", "role": "user", "content": "hi"}
SCHEMA = {"type": "custom", "item_schema": {}}


def make(client: OpenAI, model: str) -> Made:
    """One object of each kind. Calls that name no model go where the gateway sends those; `model` is to go there too."""
    made = Made(model=model, fine_tuned=f"ft-{model}")
    made.file = client.files.create(file=b"{}", purpose="batch").id
    made.spare = client.files.create(file=b"{}", purpose="assistants").id
    made.upload = upload(client).id
    made.part = client.uploads.parts.create(made.upload, data=b"part").id
    made.uploaded = client.uploads.complete(made.upload, part_ids=[made.part]).file.id
    made.cancelled_upload = upload(client).id
    made.batch = client.batches.create(
        input_file_id=made.file, endpoint="/v1/responses", completion_window="24h"
    ).id
    made.job = client.fine_tuning.jobs.create(model=model, training_file=made.file).id
    made.permission = client.fine_tuning.checkpoints.permissions.create(made.fine_tuned, project_ids=["p"]).data[0].id
    made.store = client.vector_stores.create(name="store", file_ids=[made.file]).id
    made.store_file = client.vector_stores.files.create(vector_store_id=made.store, file_id=made.spare).id
    made.file_batch = client.vector_stores.file_batches.create(made.store, file_ids=[made.file]).id
    made.container = client.containers.create(name="box", file_ids=[made.file]).id
    made.container_file = client.containers.files.create(made.container, file=b"x").id
    made.conversation = client.conversations.create(items=[]).id
    made.item = client.conversations.items.create(made.conversation, items=[MESSAGE]).data[0].id
    made.response = client.responses.create(model=model, input="hi").id
    made.completion = client.chat.completions.create(model=model, messages=[MESSAGE], store=True).id
    made.eval = client.evals.create(data_source_config=SCHEMA, testing_criteria=[]).id
    made.eval_run = client.evals.runs.create(made.eval, data_source={"type": "completions", "model": model}).id
    made.video = client.videos.create(prompt="a cat", model=model).id
    made.remix = client.videos.remix(made.video, prompt="a dog").id
    made.edit = client.videos.edit(prompt="a dog", video=b"film").id
    made.extension = client.videos.extend(prompt="a dog", seconds="4", video=b"film").id
    made.character = client.videos.create_character(name="cat", video=b"film").id
    made.assistant = client.beta.assistants.create(model=model).id
    made.thread = client.beta.threads.create(messages=[MESSAGE]).id
    made.message = client.beta.threads.messages.create(made.thread, role="user", content="hi").id
    made.run = client.beta.threads.runs.create(made.thread, assistant_id=made.assistant, model=model).id
    made.other_thread = client.beta.threads.create_and_run(assistant_id=made.assistant, model=model).thread_id
    made.session = client.beta.chatkit.sessions.create(user="x", workflow={"id": "w"}).id
    made.skill = client.skills.create(files=[b"skill"]).id
    made.version = client.skills.versions.create(made.skill, files=[b"skill"]).id
    made.consent = client.audio.voice_consents.create(language="en", name="n", recording=b"x").id
    call = client.realtime.calls.with_raw_response.create(sdp="v=0", session={"type": "realtime", "model": model})
    made.call = call.headers["location"].rpartition("/")[2]
    made.voice = client.audio.voices.create(audio_sample=b"x", consent=made.consent, name="n").id
    return made


def upload(client: OpenAI) -> object:
    return client.uploads.create(bytes=4, filename="f", mime_type="text/plain", purpose="assistants")


Call = Callable[[OpenAI, Made], object]

# Each way of reading, changing or going on from an object.
USES: dict[str, Call] = {
    "files.retrieve": lambda c, m: c.files.retrieve(m.file),
    "files.retrieve of an upload's file": lambda c, m: c.files.retrieve(m.uploaded),
    "files.content": lambda c, m: c.files.content(m.file).read(),
    "uploads.parts.create": lambda c, m: c.uploads.parts.create(m.upload, data=b"part"),
    "uploads.complete": lambda c, m: c.uploads.complete(m.upload, part_ids=[m.part]),
    "uploads.cancel": lambda c, m: c.uploads.cancel(m.cancelled_upload),
    "batches.retrieve": lambda c, m: c.batches.retrieve(m.batch),
    "batches.cancel": lambda c, m: c.batches.cancel(m.batch),
    "batches.create": lambda c, m: c.batches.create(
        input_file_id=m.file, endpoint="/v1/responses", completion_window="24h"
    ),
    "jobs.retrieve": lambda c, m: c.fine_tuning.jobs.retrieve(m.job),
    "jobs.list_events": lambda c, m: listed(c.fine_tuning.jobs.list_events(m.job)),
    "jobs.checkpoints.list": lambda c, m: listed(c.fine_tuning.jobs.checkpoints.list(m.job)),
    "jobs.pause": lambda c, m: c.fine_tuning.jobs.pause(m.job),
    "jobs.resume": lambda c, m: c.fine_tuning.jobs.resume(m.job),
    "jobs.cancel": lambda c, m: c.fine_tuning.jobs.cancel(m.job),
    "jobs.create": lambda c, m: c.fine_tuning.jobs.create(model=BOTH, training_file=m.file),
    "vector_stores.retrieve": lambda c, m: c.vector_stores.retrieve(m.store),
    "vector_stores.update": lambda c, m: c.vector_stores.update(m.store, name="new"),
    "vector_stores.search": lambda c, m: list(c.vector_stores.search(m.store, query="q")),
    "vector_stores.create": lambda c, m: c.vector_stores.create(file_ids=[m.file]),
    "vector_stores.files.retrieve": lambda c, m: c.vector_stores.files.retrieve(m.store_file, vector_store_id=m.store),
    "vector_stores.files.update": lambda c, m: c.vector_stores.files.update(
        m.store_file, vector_store_id=m.store, attributes={"a": "b"}
    ),
    "vector_stores.files.content": lambda c, m: list(
        c.vector_stores.files.content(m.store_file, vector_store_id=m.store)
    ),
    "vector_stores.files.list": lambda c, m: listed(c.vector_stores.files.list(m.store)),
    "file_batches.retrieve": lambda c, m: c.vector_stores.file_batches.retrieve(m.file_batch, vector_store_id=m.store),
    "file_batches.list_files": lambda c, m: listed(
        c.vector_stores.file_batches.list_files(m.file_batch, vector_store_id=m.store)
    ),
    "file_batches.cancel": lambda c, m: c.vector_stores.file_batches.cancel(m.file_batch, vector_store_id=m.store),
    "containers.retrieve": lambda c, m: c.containers.retrieve(m.container),
    "containers.create": lambda c, m: c.containers.create(name="box", file_ids=[m.file]),
    "containers.files.create": lambda c, m: c.containers.files.create(m.container, file_id=m.file),
    "containers.files.retrieve": lambda c, m: c.containers.files.retrieve(m.container_file, container_id=m.container),
    "containers.files.content": lambda c, m: c.containers.files.content.retrieve(
        m.container_file, container_id=m.container
    ).read(),
    "containers.files.list": lambda c, m: listed(c.containers.files.list(m.container)),
    "containers.create with a skill": lambda c, m: c.containers.create(
        name="box", skills=[{"type": "skill_reference", "skill_id": m.skill}]
    ),
    "conversations.retrieve": lambda c, m: c.conversations.retrieve(m.conversation),
    "conversations.update": lambda c, m: c.conversations.update(m.conversation, metadata={"a": "b"}),
    "conversations.items.create": lambda c, m: c.conversations.items.create(m.conversation, items=[MESSAGE]),
    "conversations.items.retrieve": lambda c, m: c.conversations.items.retrieve(m.item, conversation_id=m.conversation),
    "conversations.items.list": lambda c, m: listed(c.conversations.items.list(m.conversation)),
    "responses.retrieve": lambda c, m: c.responses.retrieve(m.response),
    "responses.input_items.list": lambda c, m: listed(c.responses.input_items.list(m.response)),
    "responses.cancel": lambda c, m: c.responses.cancel(m.response),
    "responses.create after another": lambda c, m: c.responses.create(
        model=BOTH, input="hi", previous_response_id=m.response
    ),
    "responses.create in a conversation": lambda c, m: c.responses.create(
        model=BOTH, input="hi", conversation=m.conversation
    ),
    "responses.create with a vector store": lambda c, m: c.responses.create(
        model=BOTH, input="hi", tools=[{"type": "file_search", "vector_store_ids": [m.store]}]
    ),
    "responses.create with a container": lambda c, m: c.responses.create(
        model=BOTH, input="hi", tools=[{"type": "code_interpreter", "container": m.container}]
    ),
    "responses.create with a file": lambda c, m: c.responses.create(
        model=BOTH, input=[{"role": "user", "content": [{"type": "input_file", "file_id": m.file}]}]
    ),
    "completions.retrieve": lambda c, m: c.chat.completions.retrieve(m.completion),
    "completions.update": lambda c, m: c.chat.completions.update(m.completion, metadata={"a": "b"}),
    "completions.messages.list": lambda c, m: listed(c.chat.completions.messages.list(m.completion)),
    "evals.retrieve": lambda c, m: c.evals.retrieve(m.eval),
    "evals.update": lambda c, m: c.evals.update(m.eval, name="new"),
    "evals.runs.list": lambda c, m: listed(c.evals.runs.list(m.eval)),
    "evals.runs.retrieve": lambda c, m: c.evals.runs.retrieve(m.eval_run, eval_id=m.eval),
    "evals.runs: cancel": lambda c, m: c.post(f"/evals/{m.eval}/runs/{m.eval_run}", cast_to=object),
    "evals.runs.output_items": lambda c, m: [
        c.evals.runs.output_items.retrieve(item, eval_id=m.eval, run_id=m.eval_run)
        for item in listed(c.evals.runs.output_items.list(m.eval_run, eval_id=m.eval))
    ],
    "videos.retrieve": lambda c, m: c.videos.retrieve(m.video),
    "videos.retrieve of a remix": lambda c, m: c.videos.retrieve(m.remix),
    "videos.retrieve of an edit": lambda c, m: c.videos.retrieve(m.edit),
    "videos.retrieve of an extension": lambda c, m: c.videos.retrieve(m.extension),
    "videos.download_content": lambda c, m: c.videos.download_content(m.video).read(),
    "videos.remix": lambda c, m: c.videos.remix(m.video, prompt="a bird"),
    "videos.get_character": lambda c, m: c.videos.get_character(m.character),
    # The SDK takes no more than a file here, the API takes a video by its id too.
    "videos.edit of another": lambda c, m: c.post("/videos/edits", cast_to=object, body={"video": {"id": m.video}}),
    "videos.extend of another": lambda c, m: c.post(
        "/videos/extensions", cast_to=object, body={"video": {"id": m.video}}
    ),
    "assistants.retrieve": lambda c, m: c.beta.assistants.retrieve(m.assistant),
    "assistants.update": lambda c, m: c.beta.assistants.update(m.assistant, name="new"),
    "threads.retrieve": lambda c, m: c.beta.threads.retrieve(m.thread),
    "threads.retrieve of one that came with a run": lambda c, m: c.beta.threads.retrieve(m.other_thread),
    "threads.update": lambda c, m: c.beta.threads.update(m.thread, metadata={"a": "b"}),
    "threads.messages.list": lambda c, m: listed(c.beta.threads.messages.list(m.thread)),
    "threads.messages.retrieve": lambda c, m: c.beta.threads.messages.retrieve(m.message, thread_id=m.thread),
    "threads.messages.update": lambda c, m: c.beta.threads.messages.update(
        m.message, thread_id=m.thread, metadata={"a": "b"}
    ),
    "threads.create_and_run": lambda c, m: c.beta.threads.create_and_run(assistant_id=m.assistant, model=BOTH),
    "threads.runs.list": lambda c, m: listed(c.beta.threads.runs.list(m.thread)),
    "threads.runs.retrieve": lambda c, m: c.beta.threads.runs.retrieve(m.run, thread_id=m.thread),
    "threads.runs.update": lambda c, m: c.beta.threads.runs.update(m.run, thread_id=m.thread, metadata={"a": "b"}),
    "threads.runs.submit_tool_outputs": lambda c, m: c.beta.threads.runs.submit_tool_outputs(
        m.run, thread_id=m.thread, tool_outputs=[]
    ),
    "threads.runs.steps": lambda c, m: [
        c.beta.threads.runs.steps.retrieve(step, thread_id=m.thread, run_id=m.run)
        for step in listed(c.beta.threads.runs.steps.list(m.run, thread_id=m.thread))
    ],
    "threads.runs.cancel": lambda c, m: c.beta.threads.runs.cancel(m.run, thread_id=m.thread),
    "chatkit.sessions.cancel": lambda c, m: c.beta.chatkit.sessions.cancel(m.session),
    "skills.retrieve": lambda c, m: c.skills.retrieve(m.skill),
    "skills.update": lambda c, m: c.skills.update(m.skill, default_version="1"),
    "skills.content": lambda c, m: c.skills.content.retrieve(m.skill).read(),
    "skills.versions.list": lambda c, m: listed(c.skills.versions.list(m.skill)),
    "skills.versions.retrieve": lambda c, m: c.skills.versions.retrieve(m.version, skill_id=m.skill),
    "skills.versions.content": lambda c, m: c.skills.versions.content.retrieve(m.version, skill_id=m.skill).read(),
    "voice_consents.retrieve": lambda c, m: c.audio.voice_consents.retrieve(m.consent),
    "voice_consents.update": lambda c, m: c.audio.voice_consents.update(m.consent, name="new"),
    "voices.create": lambda c, m: c.audio.voices.create(audio_sample=b"x", consent=m.consent, name="n"),
    "realtime.calls.accept": lambda c, m: c.realtime.calls.accept(m.call, type="realtime", model=BOTH),
    "realtime.calls.refer": lambda c, m: c.realtime.calls.refer(m.call, target_uri="tel:1"),
    "realtime.calls.reject": lambda c, m: c.realtime.calls.reject(m.call),
    "realtime.calls.hangup": lambda c, m: c.realtime.calls.hangup(m.call),
}

# Each way of taking something out of an object.
TAKEN_OUT: dict[str, Call] = {
    "vector_stores.files.delete": lambda c, m: c.vector_stores.files.delete(m.store_file, vector_store_id=m.store),
    "containers.files.delete": lambda c, m: c.containers.files.delete(m.container_file, container_id=m.container),
    "conversations.items.delete": lambda c, m: c.conversations.items.delete(m.item, conversation_id=m.conversation),
    "evals.runs.delete": lambda c, m: c.evals.runs.delete(m.eval_run, eval_id=m.eval),
    "threads.messages.delete": lambda c, m: c.beta.threads.messages.delete(m.message, thread_id=m.thread),
    "skills.versions.delete": lambda c, m: c.skills.versions.delete(m.version, skill_id=m.skill),
}

# Each way of removing an object.
REMOVALS: dict[str, Call] = {
    "files.delete of what was in a vector store": lambda c, m: c.files.delete(m.spare),
    "vector_stores.delete": lambda c, m: c.vector_stores.delete(m.store),
    "files.delete": lambda c, m: c.files.delete(m.file),
    "containers.delete": lambda c, m: c.containers.delete(m.container),
    "conversations.delete": lambda c, m: c.conversations.delete(m.conversation),
    "responses.delete": lambda c, m: c.responses.delete(m.response),
    "completions.delete": lambda c, m: c.chat.completions.delete(m.completion),
    "evals.delete": lambda c, m: c.evals.delete(m.eval),
    "videos.delete": lambda c, m: c.videos.delete(m.video),
    "threads.delete": lambda c, m: c.beta.threads.delete(m.thread),
    "assistants.delete": lambda c, m: c.beta.assistants.delete(m.assistant),
    "skills.delete": lambda c, m: c.skills.delete(m.skill),
    "voice_consents.delete": lambda c, m: c.audio.voice_consents.delete(m.consent),
}

# What belongs to a model, which whoever may use the model may ask for.
OF_MODELS: dict[str, Call] = {
    "permissions.retrieve": lambda c, m: c.fine_tuning.checkpoints.permissions.list(m.fine_tuned),
    "permissions.delete": lambda c, m: c.fine_tuning.checkpoints.permissions.delete(
        m.permission, fine_tuned_model_checkpoint=m.fine_tuned
    ),
    "models.delete": lambda c, m: c.models.delete(m.fine_tuned),
}

# The lists of each account, and how ids begin that are to be in them.
LISTS: dict[str, Callable[[OpenAI], Iterable]] = {
    "file-": lambda c: c.files.list(limit=2),
    "batch_": lambda c: c.batches.list(limit=2),
    "ftjob-": lambda c: c.fine_tuning.jobs.list(limit=2),
    "vs_": lambda c: c.vector_stores.list(limit=2),
    "cntr_": lambda c: c.containers.list(limit=2),
    "chatcmpl-": lambda c: c.chat.completions.list(limit=2),
    "eval_": lambda c: c.evals.list(limit=2),
    "video_": lambda c: c.videos.list(limit=2),
    "asst_": lambda c: c.beta.assistants.list(limit=2),
    "cthr_": lambda c: c.beta.chatkit.threads.list(limit=2),
    "skill_": lambda c: c.skills.list(limit=2),
    "cons_": lambda c: c.audio.voice_consents.list(limit=2),
}


def listed(pages: Iterable) -> list[str]:
    """The ids on all pages of a list, which are asked for one after the other."""
    return [item.id for item in pages]
