use proptest::prelude::*;
use proptest::sample::Index;

use super::super::sorted::Sorting;
use super::*;
use gateway_domain::UserId;

/// What an account may do when it is asked for what stands behind an object that it does not have.
#[derive(Clone, Copy, Debug)]
enum Manners {
    Refuses,
    ListsNothing,
    ListsEverything,
}

#[derive(Clone, Debug)]
struct Thing {
    id: String,
    made_at: i64,
    channel: usize,
    /// The order in which things were made within a channel, and learned of by the gateway.
    number: i64,
    is_own: bool,
    exists: bool,
}

/// Accounts that hold things, and the gateway's index of them.
#[derive(Clone, Debug)]
struct World {
    things: Vec<Thing>,
    channels: usize,
    manners: Manners,
    /// The most that an account lists at a time.
    page: usize,
    /// The order in which the accounts list, whatever they are asked.
    order: Option<Order>,
}

// === impl World ===

impl World {
    fn listed(&self, channel: usize, order: Order) -> Vec<&Thing> {
        let order = self.order.unwrap_or(order);
        let mut things: Vec<&Thing> =
            self.things.iter().filter(|thing| thing.channel == channel && thing.exists).collect();
        things.sort_by(|one, other| order.compare((one.made_at, one.number), (other.made_at, other.number)));
        things
    }

    /// All of the caller's things, as the whole list shows them.
    fn expected(&self, order: Order) -> Vec<String> {
        let mut own: Vec<&Thing> = self.things.iter().filter(|thing| thing.is_own && thing.exists).collect();
        let key = |thing: &Thing| (thing.made_at, thing.channel, thing.number);
        own.sort_by(|one, other| order.compare(key(one), key(other)));
        own.into_iter().map(|thing| thing.id.clone()).collect()
    }

    fn answer(&self, channel: usize, order: Order, after: Option<&str>, size: usize) -> Told {
        let mut listed = self.listed(channel, order);
        if let Some(after) = after {
            match (listed.iter().position(|thing| thing.id == after), self.manners) {
                (Some(at), _) => drop(listed.drain(..=at)),
                (None, Manners::Refuses) => return Told::NoSuchPlace,
                (None, Manners::ListsNothing) => listed.clear(),
                (None, Manners::ListsEverything) => {}
            }
        }
        let size = size.min(self.page);
        let json = |thing: &&Thing| format!(r#"{{"id":"{}","created_at":{}}}"#, thing.id, thing.made_at);
        let items: Vec<String> = listed.iter().take(size).map(json).collect();
        let body = format!(r#"{{"data":[{}],"has_more":{}}}"#, items.join(","), listed.len() > size);
        Told::Page(Box::new(Page::read(&Bytes::from(body)).unwrap()), self.own())
    }

    fn own(&self) -> HashMap<Arc<str>, Record> {
        let own = self.things.iter().filter(|thing| thing.is_own);
        own.map(|thing| (Arc::from(&*thing.id), record_of(thing))).collect()
    }

    fn mark(&self, behind: Option<&str>) -> Option<Mark> {
        let thing = self.things.iter().find(|thing| Some(&*thing.id) == behind)?;
        Some(Mark {
            id: Arc::from(&*thing.id),
            made_at: thing.made_at,
            channel: channel_of(thing.channel),
            learned: UnixMillis(thing.number),
            exists: thing.exists,
        })
    }

    /// The lists, to be read behind a thing that may be gone.
    fn feeds(&self, mark: Option<&Mark>, order: Order) -> Vec<Feed> {
        let feed = |channel: usize| {
            let Some(mark) = mark else { return Feed::whole(channel_of(channel)) };
            // The index knows of things that are gone, too.
            let mut near: Vec<&Thing> = self.things.iter().collect();
            near.retain(|near| near.is_own && near.channel == channel);
            near.retain(|near| order.compare(near.made_at, mark.made_at) == Ordering::Less);
            near.sort_by(|one, other| order.compare(other.made_at, one.made_at));
            let near: Vec<Record> = near.into_iter().take(4).map(record_of).collect();
            Feed::past(channel_of(channel), mark.clone(), &near)
        };
        (0..self.channels).map(feed).collect()
    }

    fn page(&self, behind: Option<&str>, order: Order, limit: usize) -> Result<Listing, Flaw> {
        let mark = self.mark(behind);
        let mut merge = Merge::new(self.feeds(mark.as_ref(), order), order, limit, 100);
        loop {
            let asks = merge.asks();
            if asks.is_empty() {
                return merge.finish();
            }
            for (at, ask) in asks {
                merge.tell(at, self.told(at, order, &ask))?;
            }
        }
    }

    /// The same, however the accounts list.
    fn sorted_page(&self, behind: Option<&str>, order: Order, limit: usize) -> Listing {
        let channels: Vec<ChannelId> = (0..self.channels).map(channel_of).collect();
        let mut sorting = Sorting::new(&channels, self.mark(behind), order, limit, 100);
        loop {
            let asks = sorting.asks();
            if asks.is_empty() {
                return sorting.finish();
            }
            for (at, ask) in asks {
                sorting.tell(at, self.told(at, order, &ask)).unwrap();
            }
        }
    }

    fn told(&self, at: usize, order: Order, ask: &Ask) -> Told {
        let told = self.answer(at, order, ask.after.as_deref(), ask.size);
        assert!(ask.is_guess || !matches!(told, Told::NoSuchPlace), "only guesses may fail");
        told
    }
}

fn record_of(thing: &Thing) -> Record {
    Record {
        id: Arc::from(&*thing.id),
        kind: "file".into(),
        channel: channel_of(thing.channel),
        user: UserId(1),
        created_at: UnixMillis(thing.number),
        made_at: Some(thing.made_at),
    }
}

fn channel_of(number: usize) -> ChannelId {
    ChannelId(i64::try_from(number).unwrap() + 5)
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::OldestFirst), Just(Order::NewestFirst)]
}

fn any_world() -> impl Strategy<Value = World> {
    let manners =
        prop_oneof![Just(Manners::Refuses), Just(Manners::ListsNothing), Just(Manners::ListsEverything)];
    let thing = (0..4_i64, 0..3_usize, prop::bool::weighted(0.6), prop::bool::weighted(0.85));
    (prop::collection::vec(thing, 0..40), 2..=3_usize, manners, 3..7_usize).prop_map(
        |(things, channels, manners, page)| {
            let mut made_at = 0;
            let things = things.into_iter().enumerate().map(|(number, (wait, channel, is_own, exists))| {
                made_at += wait / 2;
                let channel = channel % channels;
                let number = i64::try_from(number).unwrap();
                Thing { id: format!("t{number}"), made_at, channel, number, is_own, exists }
            });
            World { things: things.collect(), channels, manners, page, order: None }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn going_through_pages_shows_each_own_object_once_and_in_order(
        world in any_world(),
        order in any_order(),
        limits in prop::collection::vec(1..7_usize, 1..5),
    ) {
        let mut seen: Vec<String> = Vec::new();
        for round in 0.. {
            let limit = limits[round % limits.len()];
            let page = world.page(seen.last().map(String::as_str), order, limit).unwrap();
            prop_assert!(page.items.len() == limit || !page.has_more, "a page is filled as long as there is more");
            seen.extend(page.items.into_iter().map(|(id, _)| id));
            if !page.has_more {
                break;
            }
        }
        prop_assert_eq!(seen, world.expected(order));
    }

    #[test]
    fn whoever_deletes_what_was_found_misses_nothing(
        mut world in any_world(),
        order in any_order(),
        limit in 1..5_usize,
        deleted in prop::collection::vec(any::<Index>(), 0..20),
    ) {
        let expected = world.expected(order);
        let mut deleted = deleted.into_iter();
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = world.page(seen.last().map(String::as_str), order, limit).unwrap();
            seen.extend(page.items.into_iter().map(|(id, _)| id));
            if !page.has_more {
                break;
            }
            // The last one of the page, and some before it.
            let last = seen.last().cloned().unwrap();
            let some = deleted.next().map(|index| index.get(&seen).clone());
            for thing in &mut world.things {
                thing.exists &= thing.id != last && Some(&thing.id) != some.as_ref();
            }
        }
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn a_page_that_is_read_backwards_is_the_one_before(world in any_world(), limit in 1..7_usize, from: Index) {
        let expected = world.expected(Order::OldestFirst);
        prop_assume!(!expected.is_empty());
        let at = from.index(expected.len());
        let page = world.page(Some(&expected[at]), Order::NewestFirst, limit).unwrap();
        let ids: Vec<String> = page.items.into_iter().rev().map(|(id, _)| id).collect();
        prop_assert_eq!(&ids, &expected[at.saturating_sub(limit)..at]);
        prop_assert_eq!(page.has_more, at > limit);
    }
}

proptest! {
    #[test]
    fn accounts_that_list_the_wrong_way_round_are_found_out_and_put_in_order(
        mut world in any_world(),
        order in any_order(),
        limit in 1..7_usize,
    ) {
        // As long as not all that is looked at first is of one second.
        (world.page, world.things) = (20, world.things.into_iter().take(20).collect());
        world.order = Some(if order == Order::OldestFirst { Order::NewestFirst } else { Order::OldestFirst });
        let mut seen: Vec<String> = Vec::new();
        loop {
            let behind = seen.last().map(String::as_str);
            let page = match world.page(behind, order, limit) {
                // What is all of one second is in order either way.
                Ok(page) => page,
                Err(flaw) => {
                    prop_assert!(matches!(flaw, Flaw::Disordered(_)));
                    world.sorted_page(behind, order, limit)
                }
            };
            seen.extend(page.items.into_iter().map(|(id, _)| id));
            if !page.has_more {
                break;
            }
        }
        let second = |id: &String| world.things.iter().find(|thing| thing.id == *id).unwrap().made_at;
        let seconds: Vec<i64> = seen.iter().map(second).collect();
        prop_assert!(seconds.is_sorted_by(|one, other| order.compare(one, other) != Ordering::Greater));
        let (mut seen, mut expected) = (seen, world.expected(order));
        seen.sort();
        expected.sort();
        prop_assert_eq!(seen, expected);
    }
}

fn told(merge: &mut Merge, at: usize, body: &str, own: &[&str]) -> Result<(), Flaw> {
    let record = |id: &&str| {
        let thing =
            Thing { id: (*id).to_owned(), made_at: 0, channel: at, number: 0, is_own: true, exists: true };
        (Arc::from(*id), record_of(&thing))
    };
    let page = Page::read(&Bytes::from(body.to_owned())).unwrap();
    merge.tell(at, Told::Page(Box::new(page), own.iter().map(record).collect()))
}

fn two() -> Merge {
    let feeds = (0..2).map(|channel| Feed::whole(channel_of(channel))).collect();
    Merge::new(feeds, Order::NewestFirst, 5, 100)
}

#[test]
fn a_channel_that_lists_in_another_order_is_found_out() {
    let disordered = Err(Flaw::Disordered(channel_of(1)));
    let body = r#"{"data":[{"id":"a","created_at":5},{"id":"b","created_at":6}],"has_more":false}"#;
    assert_eq!(told(&mut two(), 1, body, &[]), disordered);
    let undated = r#"{"data":[{"id":"a"}],"has_more":false}"#;
    assert_eq!(told(&mut two(), 1, undated, &["a"]), disordered);
    let mut merge = two();
    let page = r#"{"data":[{"id":"x","created_at":6},{"id":"a","created_at":5}],"has_more":true}"#;
    assert_eq!(told(&mut merge, 1, page, &[]), Ok(()));
    assert_eq!(told(&mut merge, 1, page, &[]), disordered, "it does not go on where it was asked to");
}

#[test]
fn the_order_of_one_channel_alone_is_its_own_matter() {
    let mut merge = Merge::new(vec![Feed::alone(channel_of(0), None)], Order::NewestFirst, 5, 100);
    let body = r#"{"data":[{"id":"a","created_at":5},{"id":"b","created_at":6},{"id":"c"}]}"#;
    assert_eq!(told(&mut merge, 0, body, &["a", "b", "c"]), Ok(()));
    assert_eq!(merge.asks(), []);
    assert_eq!(merge.finish().unwrap().items.len(), 3);
}

#[test]
fn a_channel_alone_that_heeds_no_cursor_has_listed_all_that_can_be_had() {
    let mut merge = Merge::new(vec![Feed::alone(channel_of(0), None)], Order::NewestFirst, 5, 100);
    let page = r#"{"data":[{"id":"theirs"},{"id":"b"},{"id":"a"}],"has_more":true}"#;
    for _ in 0..2 {
        assert_eq!(merge.asks().len(), 1);
        told(&mut merge, 0, page, &["a", "b"]).unwrap();
    }
    assert!(merge.asks().is_empty(), "it is not read for ever");
    let listing = merge.finish().unwrap();
    assert_eq!((listing.items.len(), listing.has_more), (2, false), "and nothing is listed twice");
}

#[test]
fn a_list_of_other_peoples_objects_is_read_for_a_while_and_not_for_ever() {
    let mut merge = Merge::new(vec![Feed::alone(channel_of(0), None)], Order::NewestFirst, 5, 100);
    let mut pages = 0;
    while !merge.asks().is_empty() {
        pages += 1;
        told(&mut merge, 0, &format!(r#"{{"data":[{{"id":"x{pages}"}}],"has_more":true}}"#), &[]).unwrap();
    }
    assert_eq!((pages, merge.finish()), (MAX_PAGES, Err(Flaw::TooLong)));
}

#[test]
fn pages_that_are_too_long_are_asked_for_in_pieces_until_they_fit() {
    let mut merge = two();
    let size = |merge: &mut Merge| match merge.asks().first() {
        Some((0, Ask { size, .. })) => *size,
        other => panic!("{other:?}"),
    };
    let mut sizes = Vec::new();
    let flaw = loop {
        sizes.push(size(&mut merge));
        if let Err(flaw) = merge.tell(0, Told::TooLong) {
            break flaw;
        }
    };
    assert_eq!((sizes, flaw), (vec![20, 5, 1], Flaw::TooLong));
}
