// One step of a sum of products over k. Where products are exact (bf16 times bf16; int4 blocks), fusing changes no bit,
// so nothing needs a pin unless a device reorders the sum: the pipeline decides by the two constants.
//
// Before it: lib/math.wgsl.

/// True for products that round (fp32), and on devices where the unpinned form was found inexact.
override PINNED_PRODUCTS: bool = true;
override PINNED_SUMS: bool = true;

fn accumulate(sum: vec4f, product: vec4f) -> vec4f {
  var term = product;
  if (PINNED_PRODUCTS) { term = pin(term); }
  let next = sum + term;
  if (PINNED_SUMS) { return pin(next); }
  return next;
}
