/// Whether a member of this name, in whatever object of a request's body, may name an object, or a model besides that
/// at the top. The name is given without its quotes.
///
/// It is a word with which the way to such a name begins or ends; that it leads there, only a walk can tell.
pub(super) fn names_objects(name: &[u8]) -> bool {
    matches!(
        name,
        b"file_id"
            | b"file_ids"
            | b"vector_store_id"
            | b"vector_store_ids"
            | b"previous_response_id"
            | b"input_file_id"
            | b"training_file"
            | b"validation_file"
            | b"assistant_id"
            | b"thread_id"
            | b"skill_id"
            | b"conversation"
            | b"container"
            | b"model"
            | b"source"
            | b"voice"
            | b"video"
    )
}
