//! The bold driver (Battiti 1989): grow the rate while the metric improves, cut it when it worsens.

use attune_plugin_api::prelude::*;

#[derive(Serialize, Deserialize)]
pub struct BoldDriver {
    grow: f64,
    cut: f64,
    /// -1 where a higher metric is better.
    sign: f64,
    last: f64,
}

#[derive(Deserialize)]
pub struct Params {
    grow: f64,
    cut: f64,
}

impl Scheduler for BoldDriver {
    type Params = Params;

    fn describe() -> Description {
        let grow = Param::float("grow", 1.05).at_least(1.0).search(1.01, 1.2);
        let cut = Param::float("cut", 0.5).at_least(0.0).below(1.0);
        Description::new(
            "bold-driver",
            "Grows the rate on a better metric, else cuts it.",
        )
        .reference("Battiti, Complex Systems 3 (1989), pages 331 to 342")
        .reads_metric()
        .param(grow.doc("The factor after a better metric."))
        .param(cut.search(0.3, 0.9).doc("The factor after a worse one."))
    }

    fn configure(params: Params, setup: &Setup) -> Result<Self, Error> {
        let sign = if setup.metric_minimized { 1.0 } else { -1.0 };
        let (grow, cut, last) = (params.grow, params.cut, f64::NAN);
        Ok(BoldDriver {
            grow,
            cut,
            sign,
            last,
        })
    }

    fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let change = self.sign * (value - self.last);
        if change < 0.0 {
            rates.set_each(|_, rate| rate * self.grow);
        } else if change > 0.0 {
            rates.set_each(|_, rate| rate * self.cut);
        }
        self.last = value;
        Ok(())
    }
}

attune_plugin_api::export!(BoldDriver);

#[cfg(test)]
mod tests {
    use super::BoldDriver;
    use attune_plugin_api::Setup;
    use attune_plugin_api::conformance;
    use attune_plugin_api::controller::{Clock, Controller, InProcess};

    #[test]
    fn it_conforms() {
        conformance::check::<BoldDriver>().unwrap();
    }

    #[test]
    fn it_grows_on_better_and_cuts_on_worse() {
        for (minimized, metrics) in [(true, [5.0, 4.0, 4.0, 6.0]), (false, [5.0, 6.0, 6.0, 4.0])] {
            let mut setup = Setup::of_rates(&[1.0]);
            setup.metric_minimized = minimized;
            let mut driver = InProcess::<BoldDriver>::configure(&[].into(), &setup).unwrap();
            let mut rates = [1.0];
            let trace = metrics.map(|metric| {
                let clock = Clock::default();
                driver
                    .metric(metric, &clock, &mut rates, &mut [0.0])
                    .unwrap();
                rates[0]
            });
            assert_eq!(trace, [1.0, 1.05, 1.05, 0.525]);
        }
    }
}
