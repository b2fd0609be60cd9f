//! Conversations over several processes that share nothing: each finds its home on every one of them.

use std::collections::BTreeMap;

use gateway_tests::{Answer, Campaign, Chance, Gateway, GatewayProcess, Upstream, all, chat, ms};
use serde_json::json;

/// How many conversations take their turns at one time.
const AT_ONCE: usize = 16;

/// Processes with the same channels, and conversations that wander between them.
struct Fleet {
    processes: Vec<GatewayProcess>,
    channels: Vec<Upstream>,
}

/// Which channel answered, by conversation, in the order of the turns.
type Turns = Vec<Vec<String>>;

// === impl Fleet ===

impl Fleet {
    /// `None` when the binary has not been built.
    async fn start() -> Option<Self> {
        let mut channels = Vec::new();
        for _ in 0..3 {
            channels.push(Upstream::answering(|_| chat("ok").after(ms(40))).start().await);
        }
        let mut processes = Vec::new();
        for _ in 0..4 {
            let process = Gateway::empty().spawn().await?;
            for channel in &channels {
                process.admin().add_channel(channel, &["m"]).await;
            }
            processes.push(process);
        }
        Some(Self { processes, channels })
    }

    /// One turn of a conversation, on one of the processes. Every second conversation is named in the body, the others
    /// in a header.
    async fn turn(&self, conversation: usize, process: usize) -> Answer {
        let call = self.processes[process].chat("m").say("and then?");
        let name = format!("conversation-{conversation}");
        let call = if conversation.is_multiple_of(2) {
            call.with("prompt_cache_key", json!(name))
        } else {
            call.header("x-session-id", &name)
        };
        call.send().await
    }

    /// So many turns of each conversation, each on a process that chance chooses.
    async fn turns(&self, campaign: &Campaign, conversations: usize, turns: usize) -> Turns {
        let lanes = (0..AT_ONCE).map(|lane| async move {
            let mut done = Vec::new();
            for conversation in (lane..conversations).step_by(AT_ONCE) {
                let mut chance = Chance::of(campaign.seed, conversation);
                let mut channels = Vec::new();
                for _ in 0..turns {
                    let answer = self.turn(conversation, chance.below(self.processes.len())).await;
                    answer.assert_text("ok");
                    channels.push(answer.channel().to_owned());
                }
                done.push((conversation, channels));
            }
            done
        });
        let mut done: Vec<_> = all(lanes).await.into_iter().flatten().collect();
        done.sort_unstable();
        done.into_iter().map(|(_, channels)| channels).collect()
    }

    fn named(&self, name: &str) -> &Upstream {
        self.channels.iter().find(|channel| channel.name() == name).expect("a channel of the fleet")
    }
}

/// The channel that most turns went to.
fn home(turns: &[String]) -> &str {
    let mut counts = BTreeMap::<&str, usize>::new();
    for channel in turns {
        *counts.entry(channel).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("", |(channel, _)| channel)
}

/// How many turns there were, and how many of them at home.
fn at_home(turns: &Turns) -> (usize, usize) {
    let stayed = |turns: &Vec<String>| turns.iter().filter(|channel| *channel == home(turns)).count();
    (turns.iter().map(Vec::len).sum(), turns.iter().map(stayed).sum())
}

#[tokio::test]
async fn conversations_stay_at_home_on_four_processes_that_share_nothing() {
    let campaign = Campaign::begin("conversations on four processes").await;
    let Some(fleet) = Fleet::start().await else { return };
    let (conversations, turns) = (200, campaign.sized(5, 20));

    let before = fleet.turns(&campaign, conversations, turns).await;

    let (all_turns, stayed) = at_home(&before);
    let mut homes = BTreeMap::<&str, usize>::new();
    for turns in &before {
        *homes.entry(home(turns)).or_default() += 1;
    }
    campaign.says(format_args!("{stayed} of {all_turns} turns at home; homes: {homes:?}"));
    assert!(stayed * 100 >= all_turns * 95, "{stayed} of {all_turns} turns at home");
    assert!(homes.len() == 3 && homes.values().all(|count| *count >= conversations / 10), "{homes:?}");

    // A channel is killed: nobody's turn fails, and who was at home elsewhere stays there.
    let killed = fleet.named(home(&before[0]));
    killed.die().await;
    let without = fleet.turns(&campaign, conversations, turns).await;
    let elsewhere: Vec<usize> =
        (0..conversations).filter(|number| home(&before[*number]) != killed.name()).collect();
    let moved = elsewhere.iter().filter(|number| home(&without[**number]) != home(&before[**number])).count();
    campaign.says(format_args!(
        "one killed: no turn failed; {moved} of {} that lived elsewhere have moved",
        elsewhere.len()
    ));
    assert!(without.iter().flatten().all(|channel| channel != killed.name()));
    assert!(moved * 20 <= elsewhere.len(), "{moved} of {} have moved", elsewhere.len());
    killed.revive();
}

#[tokio::test]
async fn a_disabled_channel_is_gone_from_the_next_request_on_for_every_conversation() {
    let campaign = Campaign::begin("a channel is disabled").await;
    let Some(fleet) = Fleet::start().await else { return };
    let (conversations, turns) = (campaign.sized(60, 200), 3);
    let before = fleet.turns(&campaign, conversations, turns).await;
    let disabled = fleet.named(home(&before[0]));
    assert!(disabled.count() > 0);

    for process in &fleet.processes {
        let id = process.admin().id_of("/api/channels", disabled.name()).await;
        let answer = process.admin().put(&format!("/api/channels/{id}"), &json!({"enabled": false})).await;
        assert_eq!(answer.status, 200, "{}", answer.body_text());
    }
    let asked = disabled.count();
    let after = fleet.turns(&campaign, conversations, turns).await;

    let (all_turns, stayed) = at_home(&after);
    campaign.says(format_args!("none of {all_turns} turns at the disabled one; {stayed} at their new home"));
    assert_eq!(disabled.count(), asked, "a disabled channel was asked");
    assert!(stayed * 100 >= all_turns * 95, "{stayed} of {all_turns} turns at one new home");
}
