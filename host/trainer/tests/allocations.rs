//! What a training step asks the allocator for, once all buffers are as large as they have to be.
//! Alone in its binary, because the allocator is one for the whole process.

mod support;

use attune_plugin_api::{OptimizerKind, Scheduler};
use attune_trainer::trial::{EpochRecord, StepRecord, Subject, Telemetry, TrialSettings};
use attune_trainer::{
    Activation, AdapterSettings, CnnSettings, MlpSettings, ModelSettings, NormKind,
    TabularResnetSettings, TransformerSettings,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{Constant, Watching, adapting, base, blossoms, flowers, stripes, trial, verse};

std::thread_local! {
    /// How often this thread has asked for memory, and for how much at most.
    static ASKED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// The alignment of the memory that gemm puts matrices in order in, and nobody else asks for.
const PACKED: usize = 64;

/// The system's allocator, which counts what is not gemm's: at each product it asks for such memory
/// and for some marks, bytes that are zero.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

impl Counting {
    fn note(align: usize, size: usize) {
        if align < PACKED {
            let (count, most) = ASKED.get();
            ASKED.set((count + 1, most.max(size)));
        }
    }
}

// SAFETY: all of it is the system's; a counter without a destructor asks for no memory itself.
#[expect(unsafe_code, reason = "no allocator is safe")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Counting::note(layout.align(), layout.size());
        // SAFETY: what the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() > 1 {
            Counting::note(layout.align(), layout.size());
        }
        // SAFETY: what the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Counting::note(layout.align(), size);
        // SAFETY: what the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: what the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Notes what each step asked for: how often, and for how much at most. None where it is an epoch's
/// first, before which the rows are put in order and the model is validated.
struct Watch {
    steps: Vec<Option<(usize, usize)>>,
    epoch: u32,
}

impl Telemetry for Watch {
    fn step(&mut self, record: &StepRecord<'_>) {
        let is_first = record.epoch != self.epoch;
        self.epoch = record.epoch;
        self.steps.push((!is_first).then_some(ASKED.get()));
        ASKED.set((0, 0));
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

/// Every kind of model, on something to learn from.
fn kinds() -> Vec<(ModelSettings, Subject)> {
    let mlp = |norm, residual| {
        let settings = MlpSettings {
            hidden: vec![32, 64, 64],
            activation: Activation::Gelu,
            norm,
            residual,
        };
        (ModelSettings::Mlp(settings), blossoms().into())
    };
    let cnn = |settings| (ModelSettings::Cnn(settings), stripes(90).into());
    let resnet = ModelSettings::TabularResnet(TabularResnetSettings::default());
    let transformer = ModelSettings::Transformer(TransformerSettings::default());
    let base = Arc::new(base(ModelSettings::mlp([32])));
    let adapter = ModelSettings::Adapter(AdapterSettings::default());
    vec![
        (ModelSettings::mlp([]), blossoms().into()),
        mlp(NormKind::None, false),
        mlp(NormKind::Batch, true),
        mlp(NormKind::Layer, true),
        (resnet, blossoms().into()),
        cnn(CnnSettings::default()),
        cnn(CnnSettings {
            kernel: 5,
            norm: true,
            residual: true,
            global_average: true,
            hidden: Some(16),
            ..CnnSettings::default()
        }),
        (transformer, verse(13, 40).into()),
        (adapter, adapting(&base, &flowers(120), "kind")),
    ]
}

/// The memory of a pass, of signals and of an update is the trial's, step after step.
#[test]
fn a_step_asks_for_no_memory() {
    asks_for_none::<Constant>();
    asks_for_none::<Watching>();
}

fn asks_for_none<S: Scheduler>() {
    for (model, subject) in kinds() {
        let settings = TrialSettings {
            model: model.clone(),
            batch_size: 8,
            accumulate: 2,
            optimizer: OptimizerKind::AdamW,
            dropout: 0.2,
            clip_norm: Some(1.0),
            ema: Some(0.9),
            label_smoothing: 0.1,
            max_epochs: 3,
            ..TrialSettings::default()
        };
        let mut trial = trial::<S>(settings, subject);
        let mut watch = Watch {
            steps: Vec::with_capacity(1000),
            epoch: 0,
        };
        let stop = AtomicBool::new(false);
        // In the first epoch buffers grow, and its last batch may be a small one.
        assert!(trial.run_until(1, &mut watch, &stop).is_ok());
        watch.steps.clear();
        assert!(trial.run_until(3, &mut watch, &stop).is_ok());
        let steps: Vec<_> = watch.steps.iter().flatten().collect();
        assert!(steps.len() >= 4, "{model:?}: {}", steps.len());
        for (count, most) in steps {
            assert_eq!(*count, 0, "{model:?}: for {most} bytes at most");
        }
    }
}
