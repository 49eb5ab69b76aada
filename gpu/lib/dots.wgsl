// Integers of a block of 32 inputs by dot4I8Packed, in workgroups that make 64 rows by 64 columns, an invocation 8 rows by 4.
//
// tileX[word][row / 4], four rows a vector, and tileW[word][column / 4], four columns a vector; a word has four inputs.
// Before it: lib/sums.wgsl.

var<workgroup> tileX: array<vec4u, 128>;
var<workgroup> tileW: array<vec4u, 128>;

/// The integers of 8 rows, 4 columns each.
struct Dots { r0: vec4i, r1: vec4i, r2: vec4i, r3: vec4i, r4: vec4i, r5: vec4i, r6: vec4i, r7: vec4i }

/// A block of the rows from 4 * left on and the columns from 4 * right on, added to `before`.
fn addDots(before: Dots, left: u32, right: u32) -> Dots {
  var dots = before;
  for (var j = 0u; j < 8 * QUADS; j += QUADS) {
    let u = tileW[j + right];
    let a = tileX[j + left];
    let b = tileX[j + left + 1];
    dots.r0 += dot4(a.x, u);
    dots.r1 += dot4(a.y, u);
    dots.r2 += dot4(a.z, u);
    dots.r3 += dot4(a.w, u);
    dots.r4 += dot4(b.x, u);
    dots.r5 += dot4(b.y, u);
    dots.r6 += dot4(b.z, u);
    dots.r7 += dot4(b.w, u);
  }
  return dots;
}

/// Four inputs of a row times the same four of four columns.
fn dot4(q: u32, u: vec4u) -> vec4i {
  return vec4i(dot4I8Packed(q, u.x), dot4I8Packed(q, u.y), dot4I8Packed(q, u.z), dot4I8Packed(q, u.w));
}

fn asFloats(d: Dots) -> Sums {
  return Sums(vec4f(d.r0), vec4f(d.r1), vec4f(d.r2), vec4f(d.r3), vec4f(d.r4), vec4f(d.r5), vec4f(d.r6), vec4f(d.r7));
}
