//! What people write about studies and trials: kept, told, and gone with what it is about.

use crate::asking::Asking;
use crate::ground::{endless, start, study};
use crate::support::{Home, says, signal, wait_until};
use attune_protocol::client::{ClientError, Notice, Scope};
use attune_protocol::{Event, Note, ResumeStudy, TrialsQuery};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

fn note(text: &str, tags: &[&str]) -> Note {
    Note {
        text: text.into(),
        tags: tags.iter().map(|tag| (*tag).into()).collect(),
    }
}

/// Writes about a study and its first trial.
fn write(asking: &Asking, id: &str, about_study: &Note, about_trial: &Note) {
    let (trial, id) = (format!("{id}.0"), id.to_owned());
    let told = asking.to(|client| {
        let (id, note) = (id.clone(), about_study.clone());
        async move { client.note_study(&id, &note).await }
    });
    assert_eq!((told.note, told.id), (about_study.clone(), id));
    let told = asking.to(|client| {
        let (id, note) = (trial.clone(), about_trial.clone());
        async move { client.note_trial(&id, &note).await }
    });
    assert_eq!((told.note, told.id), (about_trial.clone(), trial));
}

/// Everything that tells of a study and its first trial tells these.
#[track_caller]
fn is_told(asking: &Asking, id: &str, about_study: &Note, about_trial: &Note) {
    let trial = format!("{id}.0");
    asking.to(|client| async move {
        let listed = client.studies().await?;
        let listed = listed.iter().find(|study| study.id == id).expect("it");
        assert_eq!(listed.note, *about_study);
        let detail = client.study(id).await?;
        assert_eq!(detail.study.note, *about_study);
        let first = detail
            .trials
            .iter()
            .find(|one| one.id == trial)
            .expect("it");
        assert_eq!(first.note, *about_trial);
        assert!(
            detail
                .trials
                .iter()
                .all(|one| one.id == trial || one.note == Note::default())
        );
        assert_eq!(client.trial(&trial).await?.trial.note, *about_trial);
        let table = client.trials(id, &TrialsQuery::default()).await?;
        assert_eq!(table.rows[0].tags, about_trial.tags);
        Ok(())
    });
}

#[test]
fn they_are_kept_and_told_while_it_trains_after_a_death_and_when_it_is_over() {
    let home = Home::new();
    let id = start(&home, &endless(&home));
    let asking = Asking::of(&home);
    let (first, second) = (
        note("Why is\nit slow?", &["odd", "größer"]),
        note("", &["keep"]),
    );
    write(&asking, &id, &first, &second);
    is_told(&asking, &id, &first, &second);
    // Whoever begins to listen is told too, and of the next one as it comes.
    let third = note("never mind", &[]);
    let events = asking.to(|client| {
        let (id, third) = (id.clone(), third.clone());
        async move {
            let mut stream = client.events(Scope::Study(id.clone())).await?;
            let mut told = Vec::new();
            client.note_trial(&format!("{id}.0"), &third).await?;
            let until = Instant::now() + Duration::from_secs(30);
            while Instant::now() < until {
                let notice = stream.next().await;
                let Some(Ok(Notice::Event { event, .. })) = notice else {
                    continue;
                };
                match event {
                    Event::StudyStarted { study } => told.push(study.note),
                    Event::TrialStarted { trial } if trial.id.ends_with(".0") => {
                        told.push(trial.note);
                    }
                    Event::TrialChanged { trial } if trial.note == third => {
                        told.push(trial.note);
                        break;
                    }
                    _ => {}
                }
            }
            Ok::<_, ClientError>(told)
        }
    });
    assert_eq!(events[0], first);
    assert_eq!(events.last(), Some(&third));

    let daemon = home.daemon_pid().unwrap();
    signal(daemon, Signal::KILL);
    wait_until(|| home.daemon_pid() != Some(daemon), "the daemon is gone");
    let asking = Asking::of(&home);
    is_told(&asking, &id, &first, &third);
    home.run(&["stop", &id]).ok();
    is_told(&asking, &id, &first, &third);
    // What is over can be written about too, and nothing takes it away again.
    write(&asking, &id, &second, &first);
    is_told(&asking, &id, &second, &first);
    let page = home.run(&["show", &format!("{id}.0")]).ok();
    says(
        &page,
        &["\nnote\n  Why is\n  it slow?\n", "\ntags\n  odd größer\n"],
    );
    says(&home.run(&["show", &id]).ok(), &["\ntags\n  keep\n"]);
    write(&asking, &id, &Note::default(), &Note::default());
    is_told(&asking, &id, &Note::default(), &Note::default());
    assert!(!home.run(&["show", &id]).ok().contains("\ntags\n"));
}

#[test]
fn they_go_where_their_study_goes() {
    let home = Home::new();
    let id = home.start_detached(&study(&home, 2, 2));
    home.wait_for_state(&id, "done");
    let asking = Asking::of(&home);
    let (about_study, about_trial) = (note("the first", &["a"]), note("its best", &["b", "c"]));
    write(&asking, &id, &about_study, &about_trial);
    home.run(&["export", &id, "--format", "jsonl", "--to", "out.jsonl"])
        .ok();
    home.run(&["import", "out.jsonl"]).ok();
    is_told(&asking, "s2", &about_study, &about_trial);
    home.run(&["store", "verify"]).ok();
    home.run(&["store", "compact"]).ok();
    is_told(&asking, &id, &about_study, &about_trial);
    home.run(&["rm", &id]).ok();
    // What comes after it has nothing of it.
    let next = home.start_detached(&study(&home, 2, 2));
    home.wait_for_state(&next, "done");
    is_told(&asking, &next, &Note::default(), &Note::default());
    is_told(&asking, "s2", &about_study, &about_trial);

    for (wrong, code, why) in [
        (id.as_str(), 404, "s1"),
        (&format!("{id}.0"), 404, "s1"),
        (&format!("{next}.7"), 404, "s3.7"),
        (&next, 400, "\"a b\" must be a word"),
        (&format!("{next}.0"), 400, "\"a b\" must be a word"),
    ] {
        let tags: &[&str] = if code == 400 { &["a b"] } else { &[] };
        let (wrong, note) = (wrong.to_owned(), note("x", tags));
        let (found, told) = asking.refused(|client| async move {
            match wrong.contains('.') {
                true => client.note_trial(&wrong, &note).await.map(drop),
                false => client.note_study(&wrong, &note).await.map(drop),
            }
        });
        assert_eq!(found, code, "{told}");
        says(&told, &[why]);
    }
}

/// All of it may come in one round of the engine, which removes the study at the end of it.
#[test]
fn whoever_writes_about_a_study_that_is_being_removed_harms_nobody() {
    let home = Home::new();
    let file = study(&home, 2, 2);
    let asking = Asking::of(&home);
    for number in 1..=6 {
        let id = home.start_detached(&file);
        home.wait_for_state(&id, "done");
        assert_eq!(id, format!("s{number}"));
        let trial = format!("{id}.1");
        asking.to(|client| {
            let (id, trial) = (id.clone(), trial.clone());
            async move {
                let about = note("x", &[]);
                let mut writing = JoinSet::new();
                for number in 0..40 {
                    let (client, id, trial) = (client.clone(), id.clone(), trial.clone());
                    let about = about.clone();
                    writing.spawn(async move {
                        let more = ResumeStudy {
                            trials: Some(3),
                            ..ResumeStudy::default()
                        };
                        let done = match number % 4 {
                            _ if number == 20 => client.delete_study(&id).await.map(drop),
                            0 => client.resume_study(&id, &more).await.map(drop),
                            1 => client.note_trial(&trial, &about).await.map(drop),
                            _ => client.note_study(&id, &about).await.map(drop),
                        };
                        match done {
                            Ok(()) => None,
                            Err(ClientError::Problem(problem)) => Some(problem.code.status()),
                            Err(error) => panic!("{error}"),
                        }
                    });
                }
                let refused: Vec<u16> = writing.join_all().await.into_iter().flatten().collect();
                assert!(
                    refused.iter().all(|code| [404, 409].contains(code)),
                    "{refused:?}"
                );
                Ok::<_, ClientError>(())
            }
        });
        // Where it was resumed first it could not be removed.
        if home.run(&["ls", &id]).code == Some(0) {
            home.run(&["stop", &id]);
            home.run(&["rm", &id]).ok();
        }
    }
    home.run(&["store", "verify"]).ok();
}
