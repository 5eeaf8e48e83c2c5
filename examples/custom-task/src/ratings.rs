//! Data and model of our own: who will like which film?
//!
//! People have rated some films. The model is a matrix factorisation with biases (Koren, Bell and
//! Volinsky, 2009): the stars of person p for film f are predicted as the mean + bₚ + b_f + ⟨xₚ, y_f⟩.

use attune_trainer::metrics::{Metric, Scores};
use attune_trainer::task::{Batch, Failure, Kind, Parameters, Random, Task, checksum};

const PEOPLE: usize = 150;
const FILMS: usize = 80;
/// The length of xₚ and y_f.
const TASTES: usize = 4;

struct Rating {
    person: usize,
    film: usize,
    stars: f32,
}

pub(crate) struct Ratings {
    known: Vec<Rating>,
    held_out: Vec<Rating>,
    mean: f32,
}

impl Ratings {
    /// Makes the data up; here you would read yours.
    pub(crate) fn made_up(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut numbers =
            |count: usize| -> Vec<f64> { (0..count).map(|_| random.normal()).collect() };
        let (people, films) = (numbers(PEOPLE * TASTES), numbers(FILMS * TASTES));
        let mut rated = |count: usize| -> Vec<Rating> {
            let rating = |_| {
                let (person, film) = (random.below(PEOPLE), random.below(FILMS));
                let tastes = people[person * TASTES..][..TASTES].iter();
                let liking = tastes.zip(&films[film * TASTES..]).map(|(x, y)| x * y);
                let stars = 3.0 + 0.5 * liking.sum::<f64>() + 0.2 * random.normal();
                Rating {
                    person,
                    film,
                    stars: stars as f32,
                }
            };
            (0..count).map(rating).collect()
        };
        let (known, held_out) = (rated(6000), rated(1500));
        let mean = known.iter().map(|rating| rating.stars).sum::<f32>() / known.len() as f32;
        Ratings {
            known,
            held_out,
            mean,
        }
    }

    /// By how much a prediction is off.
    fn error(&self, rating: &Rating, values: &[&[f32]]) -> f32 {
        let (p, f) = (rating.person, rating.film);
        let x = values[2][p * TASTES..][..TASTES].iter();
        let liking: f32 = x.zip(&values[3][f * TASTES..]).map(|(x, y)| x * y).sum();
        self.mean + values[0][p] + values[1][f] + liking - rating.stars
    }
}

impl Task for Ratings {
    fn name(&self) -> String {
        "ratings".into()
    }

    fn fingerprint(&self) -> String {
        let all = self.known.iter().chain(&self.held_out);
        let stars: Vec<f32> = all.map(|rating| rating.stars).collect();
        format!("ratings {:08x}, {TASTES} tastes", checksum(&stars))
    }

    fn parameters(&self) -> Vec<Parameters> {
        vec![
            Parameters::new("people_bias", Kind::Bias, [PEOPLE]),
            Parameters::new("films_bias", Kind::Bias, [FILMS]),
            Parameters::new("people", Kind::Embedding, [PEOPLE, TASTES]),
            Parameters::new("films", Kind::Embedding, [FILMS, TASTES]),
        ]
    }

    fn start(&self, random: &mut Random) -> Vec<Vec<f32>> {
        let mut drawn = |count| (0..count).map(|_| 0.1 * random.normal() as f32).collect();
        let (people, films) = (drawn(PEOPLE * TASTES), drawn(FILMS * TASTES));
        vec![vec![0.0; PEOPLE], vec![0.0; FILMS], people, films]
    }

    fn rows(&self) -> usize {
        self.known.len()
    }

    fn learn(
        &self,
        batch: &Batch<'_>,
        values: &[&[f32]],
        gradients: &mut [&mut [f32]],
    ) -> Result<f32, Failure> {
        let share = 1.0 / batch.rows.len() as f32;
        let mut loss = 0.0;
        for &row in batch.rows {
            let rating = &self.known[row as usize];
            let (p, f) = (rating.person, rating.film);
            let error = self.error(rating, values);
            loss += share * error * error;
            let slope = 2.0 * share * error;
            gradients[0][p] += slope;
            gradients[1][f] += slope;
            for taste in 0..TASTES {
                let (x, y) = (p * TASTES + taste, f * TASTES + taste);
                gradients[2][x] += slope * values[3][y];
                gradients[3][y] += slope * values[2][x];
            }
        }
        Ok(loss)
    }

    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::Rmse, Metric::Loss]
    }

    fn validate(&self, values: &[&[f32]]) -> Result<Scores, Failure> {
        let errors = self
            .held_out
            .iter()
            .map(|rating| self.error(rating, values));
        let squares: f64 = errors.map(|error| f64::from(error).powi(2)).sum();
        let loss = squares / self.held_out.len() as f64;
        Ok(Scores::from([
            (Metric::Loss, loss),
            (Metric::Rmse, loss.sqrt()),
        ]))
    }
}
