//! Each fused operation beside its stock form, forward and backward, in `f32`, at the shapes of a training step of
//! BERT with 4 layers (16 sequences of 128, width 256), and of images 32 × 32 of 64 channels (`bench_support`).
//!
//! `cargo bench --workspace --bench ops`. The stock form's time has in it the copy of the parameters' gradient
//! into the flat buffer, which the fused form does not need; that of the parameters themselves is left out.

use acclip_models::bench_support::Op;
use divan::Bencher;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    divan::main();
}

macro_rules! ops {
    ($($name:ident $op:ident)*) => {$(
        #[divan::bench(args = ["fused", "stock"], sample_count = 15, sample_size = 1)]
        fn $name(bencher: Bencher, form: &str) {
            bencher
                .with_inputs(|| Op::$op.prepare(form == "stock"))
                .bench_local_values(|pass| pass());
        }
    )*};
}

ops! {
    attention Attention
    batch_norm BatchNorm
    convolution Convolution
    cross_entropy CrossEntropy
    dropout Dropout
    embed Embed
    layer_norm LayerNorm
    linear_256_to_256 Linear
    linear_1024_to_256 LinearBack
    linear_256_to_1024_gelu LinearGelu
    max_pool MaxPool
    packed_linear PackedLinear
    residual_norm ResidualNorm
    select_rows SelectRows
    tied_decoder TiedDecoder
}
