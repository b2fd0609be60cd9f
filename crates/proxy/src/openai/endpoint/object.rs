/// What an id names. Whatever was made at one account can be found there only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectKind {
    /// `asst_…`
    Assistant,
    /// `batch_…`
    Batch,
    /// A person of videos: `char_…`
    Character,
    /// `cksess_…`
    ChatkitSession,
    /// `cthr_…`
    ChatkitThread,
    /// A key for one realtime session: `ek_…`; its id is made of its digest.
    ClientSecret,
    /// `cntr_…`
    Container,
    /// `cfile_…`
    ContainerFile,
    /// `conv_…`
    Conversation,
    /// `msg_…` and whatever else stands in a conversation.
    ConversationItem,
    /// `eval_…`
    Eval,
    /// `evalrun_…`
    EvalRun,
    /// `file-…`
    File,
    /// A batch of files of a vector store: `vsfb_…`
    FileBatch,
    /// `ft:…`: a model that belongs to the account that trained it.
    FineTunedModel,
    /// `ftjob-…`
    FineTuningJob,
    /// A message of a thread: `msg_…`
    Message,
    /// `rtc_…`
    RealtimeCall,
    /// `resp_…`
    Response,
    /// `run_…`
    Run,
    /// `skill_…`
    Skill,
    /// A chat completion that was stored: `chatcmpl-…`
    StoredCompletion,
    /// `thread_…`
    Thread,
    /// `upload_…`
    Upload,
    /// `vs_…`
    VectorStore,
    /// `video_…`
    Video,
    /// `voice_…`
    Voice,
    /// `cons_…`
    VoiceConsent,
}

// === impl ObjectKind ===

impl ObjectKind {
    /// All of them, in the order of their words.
    pub const ALL: [Self; 28] = [
        Self::Assistant,
        Self::Batch,
        Self::Character,
        Self::ChatkitSession,
        Self::ChatkitThread,
        Self::ClientSecret,
        Self::Container,
        Self::ContainerFile,
        Self::Conversation,
        Self::ConversationItem,
        Self::Eval,
        Self::EvalRun,
        Self::File,
        Self::FileBatch,
        Self::FineTunedModel,
        Self::FineTuningJob,
        Self::Message,
        Self::RealtimeCall,
        Self::Response,
        Self::Run,
        Self::Skill,
        Self::StoredCompletion,
        Self::Thread,
        Self::Upload,
        Self::VectorStore,
        Self::Video,
        Self::Voice,
        Self::VoiceConsent,
    ];

    /// The word for it in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::Batch => "batch",
            Self::Character => "character",
            Self::ChatkitSession => "chatkit_session",
            Self::ChatkitThread => "chatkit_thread",
            Self::ClientSecret => "client_secret",
            Self::Container => "container",
            Self::ContainerFile => "container_file",
            Self::Conversation => "conversation",
            Self::ConversationItem => "conversation_item",
            Self::Eval => "eval",
            Self::EvalRun => "eval_run",
            Self::File => "file",
            Self::FileBatch => "file_batch",
            Self::FineTunedModel => "fine_tuned_model",
            Self::FineTuningJob => "fine_tuning_job",
            Self::Message => "message",
            Self::RealtimeCall => "realtime_call",
            Self::Response => "response",
            Self::Run => "run",
            Self::Skill => "skill",
            Self::StoredCompletion => "stored_completion",
            Self::Thread => "thread",
            Self::Upload => "upload",
            Self::VectorStore => "vector_store",
            Self::Video => "video",
            Self::Voice => "voice",
            Self::VoiceConsent => "voice_consent",
        }
    }
}
