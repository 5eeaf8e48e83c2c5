//! Every wire type comes back as it was, whatever is in it.

use crate::draw::Draw;
use attune_protocol::work::{Answer, Brief, Exchange, Hired, NewWorker};
use attune_protocol::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const CASES: u64 = 300;

/// NaN is not equal to itself, so what is compared is how both look and what is written of them.
fn through_json<T: Draw + Debug + Serialize + DeserializeOwned>() {
    for seed in 0..CASES {
        let json = serde_json::to_string(&T::of(seed)).unwrap();
        let back: T = serde_json::from_str(&json)
            .unwrap_or_else(|e| panic!("{} of seed {seed}: {e}: {json}", name::<T>()));
        assert_eq!(format!("{back:?}"), format!("{:?}", T::of(seed)), "{json}");
        assert_eq!(
            serde_json::to_string(&back).unwrap(),
            json,
            "{} {seed}",
            name::<T>()
        );
    }
}

/// Every bit comes back, those of a NaN among them.
fn through_postcard<T: Draw + Debug + Serialize + DeserializeOwned>() {
    for seed in 0..CASES {
        let bytes = postcard::to_allocvec(&T::of(seed)).unwrap();
        let back: T = postcard::from_bytes(&bytes)
            .unwrap_or_else(|e| panic!("{} of seed {seed}: {e}", name::<T>()));
        assert_eq!(format!("{back:?}"), format!("{:?}", T::of(seed)));
        assert_eq!(
            postcard::to_allocvec(&back).unwrap(),
            bytes,
            "{} {seed}",
            name::<T>()
        );
    }
}

fn through_a_query<T: Draw + Serialize + DeserializeOwned + PartialEq + Debug>() {
    for seed in 0..CASES {
        let query = serde_urlencoded::to_string(T::of(seed)).unwrap();
        assert_eq!(
            serde_urlencoded::from_str::<T>(&query).unwrap(),
            T::of(seed),
            "{query}"
        );
    }
}

fn name<T>() -> &'static str {
    std::any::type_name::<T>()
}

#[test]
fn everything_comes_back_through_json() {
    through_json::<Problem>();
    through_json::<Event>();
    through_json::<NewStudy>();
    through_json::<Created>();
    through_json::<ResumeStudy>();
    through_json::<Resumed>();
    through_json::<Steer>();
    through_json::<Fork>();
    through_json::<Forked>();
    through_json::<Zoom>();
    through_json::<StepRows>();
    through_json::<ImportedStudy>();
    through_json::<PluginInfo>();
    through_json::<StoreReport>();
    through_json::<Backup>();
    through_json::<LookForPlugins>();
    through_json::<DaemonStatus>();
    through_json::<StudyDetail>();
    through_json::<TrialDetail>();
    through_json::<NewWorker>();
    through_json::<Hired>();
    through_json::<Brief>();
    through_json::<Exchange>();
    through_json::<Answer>();
    through_json::<Note>();
    through_json::<TrialTable>();
    through_json::<TrialCurve>();
    through_json::<LogLine>();
    through_json::<Insight>();
    through_json::<Checked>();
    through_json::<LookAtData>();
    through_json::<DataLook>();
    through_json::<Draft>();
    through_json::<Drafted>();
    through_json::<Preview>();
    through_json::<Previewed>();
}

#[test]
fn what_workers_say_comes_back_through_postcard() {
    through_postcard::<NewWorker>();
    through_postcard::<Hired>();
    through_postcard::<Brief>();
    through_postcard::<Exchange>();
    through_postcard::<Answer>();
    through_postcard::<TrialTable>();
    through_postcard::<TrialCurve>();
}

#[test]
fn queries_come_back() {
    through_a_query::<ZoomQuery>();
    through_a_query::<StepsQuery>();
    through_a_query::<TrialsQuery>();
    through_a_query::<CurvesQuery>();
    through_a_query::<TrialQuery>();
    through_a_query::<StudyQuery>();
    through_a_query::<EventsQuery>();
    through_a_query::<LogQuery>();
    through_a_query::<InsightQuery>();
}

#[test]
fn an_event_says_what_it_is() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..CASES {
        let event = Event::of(seed);
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], event.tag());
        seen.insert(event.tag());
    }
    assert!(
        seen.iter()
            .eq(&std::collections::BTreeSet::from(Event::TAGS))
    );
}

#[test]
fn what_an_older_client_leaves_out_is_as_if_it_said_nothing() {
    let study: NewStudy = serde_json::from_str(r#"{"spec": "", "file": "/a.toml"}"#).unwrap();
    assert_eq!((study.plugins.len(), study.parallel), (0, None));
    assert_eq!(
        serde_json::from_str::<ResumeStudy>("{}").unwrap(),
        ResumeStudy::default()
    );
    assert_eq!(serde_json::from_str::<Fork>("{}").unwrap(), Fork::default());
    assert_eq!(
        serde_urlencoded::from_str::<StepsQuery>("").unwrap(),
        StepsQuery::default()
    );
    assert!(serde_urlencoded::from_str::<ZoomQuery>("from=3").is_err());
}
