//! The one-dimensional maps of F(4, 3), and their adjoints, over vectors of channels.
//!
//! The interpolation points are 0, ±p, ±q and ∞ with p = 1/√2 and q = √2:
//!
//! ```text
//!      ⎡ 1  0  −5/2    0   1  0 ⎤        ⎡   1      0      0  ⎤
//!      ⎢ 0 −2p  −2     p   1  0 ⎥        ⎢ −2/3  −2p/3  −1/3  ⎥        ⎡ 1   1    1   1   1  0 ⎤
//! Bᵀ = ⎢ 0  2p  −2    −p   1  0 ⎥    G = ⎢ −2/3   2p/3  −1/3  ⎥   Aᵀ = ⎢ 0   p   −p   q  −q  0 ⎥
//!      ⎢ 0 −q/2 −1/2   q   1  0 ⎥        ⎢  1/6    q/6   1/3  ⎥        ⎢ 0  1/2  1/2  2   2  0 ⎥
//!      ⎢ 0  q/2 −1/2  −q   1  0 ⎥        ⎢  1/6   −q/6   1/3  ⎥        ⎣ 0  p/2 −p/2 2q −2q  1 ⎦
//!      ⎣ 0  1     0  −5/2  0  1 ⎦        ⎣   0      0      1  ⎦
//! ```
//!
//! A pair of points ±p shares its even and its odd part.

use crate::Real;
use std::f64::consts::{FRAC_1_SQRT_2 as P, SQRT_2 as Q};
use std::ops::{Add, Mul, Neg, Sub};

/// Rows and columns of an output tile.
pub const OUT: usize = 4;
/// Rows and columns of an input tile.
pub const IN: usize = OUT + 2;
/// Products of a tile.
pub const POINTS: usize = IN * IN;

/// Channels that are transformed together: a vector of AVX-512 in `f32`.
pub const LANES: usize = 16;

/// Neighbouring channels.
#[derive(Clone, Copy)]
pub struct Lanes<F>(pub [F; LANES]);

impl<F: Real> Lanes<F> {
    pub const ZERO: Self = Self([F::ZERO; LANES]);

    /// The first entries of `x`, and 0 beyond its end.
    #[inline(always)]
    pub fn load(x: &[F]) -> Self {
        if let Some(x) = x.first_chunk() {
            return Self(*x);
        }
        let mut lanes = Self::ZERO;
        for (lane, x) in lanes.0.iter_mut().zip(x) {
            *lane = *x;
        }
        lanes
    }

    /// To the first entries of `x`.
    #[inline(always)]
    pub fn store(self, x: &mut [F]) {
        if let Some(x) = x.first_chunk_mut() {
            *x = self.0;
            return;
        }
        for (x, lane) in x.iter_mut().zip(self.0) {
            *x = lane;
        }
    }
}

impl<F: Real> Add for Lanes<F> {
    type Output = Self;
    #[inline(always)]
    fn add(mut self, b: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(b.0) {
            *a += b;
        }
        self
    }
}

impl<F: Real> Sub for Lanes<F> {
    type Output = Self;
    #[inline(always)]
    fn sub(mut self, b: Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(b.0) {
            *a -= b;
        }
        self
    }
}

impl<F: Real> Neg for Lanes<F> {
    type Output = Self;
    #[inline(always)]
    fn neg(mut self) -> Self {
        for a in &mut self.0 {
            *a = -*a;
        }
        self
    }
}

impl<F: Real> Mul<f64> for Lanes<F> {
    type Output = Self;
    #[inline(always)]
    fn mul(mut self, b: f64) -> Self {
        for a in &mut self.0 {
            *a *= F::of(b);
        }
        self
    }
}

/// Bᵀ d, B = (IN, IN).
#[inline(always)]
pub fn input<F: Real>(d: [Lanes<F>; IN]) -> [Lanes<F>; IN] {
    let (e1, o1) = (d[4] - d[2] * 2.0, (d[3] - d[1] * 2.0) * P);
    let (e2, o2) = (d[4] - d[2] * 0.5, (d[3] - d[1] * 0.5) * Q);
    [
        d[0] - d[2] * 2.5 + d[4],
        e1 + o1,
        e1 - o1,
        e2 + o2,
        e2 - o2,
        d[1] - d[3] * 2.5 + d[5],
    ]
}

/// B v.
#[inline(always)]
pub fn input_adjoint<F: Real>(v: [Lanes<F>; IN]) -> [Lanes<F>; IN] {
    let (s1, d1) = (v[1] + v[2], (v[1] - v[2]) * P);
    let (s2, d2) = (v[3] + v[4], (v[3] - v[4]) * Q);
    [
        v[0],
        v[5] - d1 * 2.0 - d2 * 0.5,
        -(v[0] * 2.5 + s1 * 2.0 + s2 * 0.5),
        d1 + d2 - v[5] * 2.5,
        v[0] + s1 + s2,
        v[5],
    ]
}

/// Aᵀ m.
#[inline(always)]
pub fn output<F: Real>(m: [Lanes<F>; IN]) -> [Lanes<F>; OUT] {
    let (s1, d1) = (m[1] + m[2], (m[1] - m[2]) * P);
    let (s2, d2) = (m[3] + m[4], (m[3] - m[4]) * Q);
    [
        m[0] + s1 + s2,
        d1 + d2,
        s1 * 0.5 + s2 * 2.0,
        d1 * 0.5 + d2 * 2.0 + m[5],
    ]
}

/// A g.
#[inline(always)]
pub fn output_adjoint<F: Real>(g: [Lanes<F>; OUT]) -> [Lanes<F>; IN] {
    let (e1, o1) = (g[0] + g[2] * 0.5, (g[1] + g[3] * 0.5) * P);
    let (e2, o2) = (g[0] + g[2] * 2.0, (g[1] + g[3] * 2.0) * Q);
    [g[0], e1 + o1, e1 - o1, e2 + o2, e2 - o2, g[3]]
}

/// G w.
#[inline(always)]
pub fn kernel<F: Real>(w: [Lanes<F>; 3]) -> [Lanes<F>; IN] {
    let (e1, o1) = ((w[0] + w[2] * 0.5) * (-2.0 / 3.0), w[1] * (-2.0 / 3.0 * P));
    let (e2, o2) = ((w[0] + w[2] * 2.0) * (1.0 / 6.0), w[1] * (1.0 / 6.0 * Q));
    [w[0], e1 + o1, e1 - o1, e2 + o2, e2 - o2, w[2]]
}

/// Gᵀ u.
#[inline(always)]
pub fn kernel_adjoint<F: Real>(u: [Lanes<F>; IN]) -> [Lanes<F>; 3] {
    let (s1, d1) = (
        (u[1] + u[2]) * (-2.0 / 3.0),
        (u[1] - u[2]) * (-2.0 / 3.0 * P),
    );
    let (s2, d2) = ((u[3] + u[4]) * (1.0 / 6.0), (u[3] - u[4]) * (1.0 / 6.0 * Q));
    [u[0] + s1 + s2, d1 + d2, s1 * 0.5 + s2 * 2.0 + u[5]]
}

/// The map along the columns of a tile, then along the rows.
#[inline(always)]
pub fn both<F: Real, const A: usize, const B: usize>(
    load: impl Fn(usize, usize) -> Lanes<F>,
    map: impl Fn([Lanes<F>; A]) -> [Lanes<F>; B],
    mut store: impl FnMut(usize, usize, Lanes<F>),
) {
    let mut columns = [[Lanes::ZERO; B]; A];
    for (j, column) in columns.iter_mut().enumerate() {
        let mut x = [Lanes::ZERO; A];
        for (i, x) in x.iter_mut().enumerate() {
            *x = load(i, j);
        }
        *column = map(x);
    }
    for i in 0..B {
        let mut x = [Lanes::ZERO; A];
        for (x, column) in x.iter_mut().zip(&columns) {
            *x = column[i];
        }
        for (j, x) in map(x).into_iter().enumerate() {
            store(i, j, x);
        }
    }
}
