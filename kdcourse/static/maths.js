// The formulas behind the explorers. Each does what a function of the package does, and a test compares the two on the
// same inputs. Plain arrays in, plain arrays or numbers out; natural logarithms unless bits are named.

// ---- Soft labels: kdcourse.losses ----

const sum = (values) => values.reduce((total, value) => total + value, 0);

// log softmax(logits / T). Taken after the largest is subtracted, so that logits of 10,000 do no harm.
export function logSoftmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const shifted = logits.map((logit) => (logit - top) / temperature);
  const total = Math.log(sum(shifted.map(Math.exp)));
  return shifted.map((value) => value - total);
}

export function soften(logits, temperature = 1) {
  return logSoftmax(logits, temperature).map(Math.exp);
}

// In bits; what has probability 0 adds nothing.
export function entropyBits(probabilities) {
  return 0 - sum(probabilities.map((p) => (p > 0 ? p * Math.log2(p) : 0)));
}

// Both terms of the blended loss, as kdcourse.losses.blended_loss returns them, and the gradient of each with respect to
// the student's logits, with its weight. Without T² the soft term and its gradient are divided by T².
export function blendedLoss(studentLogits, teacherLogits, label, temperature, softWeight, squared = true) {
  const logP = logSoftmax(teacherLogits, temperature);
  const logQ = logSoftmax(studentLogits, temperature);
  const scale = squared ? temperature ** 2 : 1;
  const soft = scale * sum(logP.map((value, c) => (value > -Infinity ? Math.exp(value) * (value - logQ[c]) : 0)));
  const logQ1 = logSoftmax(studentLogits);
  const hard = -logQ1[label];
  return {
    soft,
    hard,
    total: softWeight * soft + (1 - softWeight) * hard,
    softGradient: logP.map((value, c) => ((softWeight * scale) / temperature) * (Math.exp(logQ[c]) - Math.exp(value))),
    hardGradient: logQ1.map((value, c) => (1 - softWeight) * (Math.exp(value) - (c === label ? 1 : 0))),
  };
}

export function norm(vector) {
  return Math.hypot(...vector);
}

// Indices, the largest value first; equal ones keep their order.
export function ranked(values) {
  return values.map((_, index) => index).sort((a, b) => values[b] - values[a]);
}

// ---- Money: kdcourse.ship ----

export function costPer1000(milliseconds, pricePerHour) {
  return (milliseconds * pricePerHour) / 3600;
}

// Requests; Infinity where the student saves nothing. Costs are per 1,000 requests.
export function breakEven(oneTimeCost, teacherCost, studentCost) {
  const saved = Math.max(teacherCost - studentCost, 0);
  return saved > 0 ? (1000 * oneTimeCost) / saved : Infinity;
}

// ---- Statistics: kdcourse.stats and kdcourse.paired ----

// Holm's step-down adjustment of p-values, in their own order.
export function holm(pValues) {
  const order = ranked(pValues).reverse();
  const adjusted = Array(pValues.length);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, pValues[index] * (pValues.length - rank)));
    adjusted[index] = largest;
  });
  return adjusted;
}

// The quantile of the normal distribution: Acklam's rational approximation, then two steps of Halley's method.
export function normalQuantile(share) {
  if (share <= 0 || share >= 1) return share === 0 ? -Infinity : share === 1 ? Infinity : NaN;
  if (share > 0.5) return -normalQuantile(1 - share);
  const ratio = (above, below, x) =>
    above.reduce((value, one) => value * x + one, 0) / below.reduce((value, one) => value * x + one, 0);
  let z;
  if (share < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(share));
    z = ratio(
      [-7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783],
      [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1],
      q,
    );
  } else {
    const q = share - 0.5;
    z =
      q *
      ratio(
        [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239],
        [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1],
        q * q,
      );
  }
  for (let round = 0; round < 2; round += 1) {
    const error = (normalTail(-z) - share) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2);
    z -= error / (1 + (z * error) / 2);
  }
  return z;
}

// The share of the normal distribution above z >= 0: a continued fraction far out, a series near 0.
function normalTail(z) {
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z > 3) {
    let fraction = z;
    for (let k = 60; k > 0; k -= 1) fraction = z + k / fraction;
    return density / fraction;
  }
  let term = z;
  let total = z;
  for (let k = 1; Math.abs(term) > 1e-17; k += 1) {
    term *= (z * z) / (2 * k + 1);
    total += term;
  }
  return 0.5 - density * total;
}

// The quantile of Student's t for a share in (0, 0.5): the share below it is found by bisection.
export function studentQuantile(share, degrees) {
  let low = -1;
  while (studentTail(-low, degrees) > share) low *= 2;
  let high = 0;
  for (let round = 0; round < 100; round += 1) {
    const middle = (low + high) / 2;
    if (studentTail(-middle, degrees) > share) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

// The share of Student's t above t >= 0, for whole degrees of freedom: the finite sums of Abramowitz & Stegun 26.7.3-4.
function studentTail(t, degrees) {
  const theta = Math.atan(t / Math.sqrt(degrees));
  const cos2 = Math.cos(theta) ** 2;
  const odd = degrees % 2 === 1;
  let term = odd ? Math.cos(theta) : 1;
  let total = degrees === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= degrees - 2; k += 2) {
    term *= ((k - 1) / k) * cos2;
    total += term;
  }
  const inside = odd ? (2 / Math.PI) * (theta + Math.sin(theta) * total) : Math.sin(theta) * total;
  return (1 - inside) / 2;
}

// kdcourse.stats.compare of two lists that share their seeds, without its bootstrap: {mean, low, high, n, verdict}.
export function compare(a, b) {
  const differences = a.map((value, k) => value - b[k]);
  const n = differences.length;
  const mean = sum(differences) / n;
  if (n < 2) return { mean, low: -Infinity, high: Infinity, n, verdict: "inconclusive" };
  const variance = sum(differences.map((value) => (value - mean) ** 2)) / (n - 1);
  const reach = -studentQuantile(0.025, n - 1) * Math.sqrt(variance / n);
  const [low, high] = [mean - reach, mean + reach];
  return { mean, low, high, n, verdict: low > 0 ? "better" : high < 0 ? "worse" : "inconclusive" };
}

// kdcourse.paired.examples_needed.
export function examplesNeeded(onlyA, onlyB, n, margin, confidence = 0.95, power = 0.8) {
  const gap = (onlyA - onlyB) / n;
  const distance = Math.abs(gap - margin);
  if (distance < 1e-12) return Infinity;
  const expected = Math.sqrt(restrictedVariance(onlyA, onlyB, n, margin));
  const observed = Math.sqrt(Math.max(0, (onlyA + onlyB) / n - gap ** 2));
  const reach = -normalQuantile((1 - confidence) / 2) * expected + normalQuantile(power) * observed;
  return Math.max(1, Math.ceil((Math.max(0, reach) / distance) ** 2));
}

// Of one example's difference, where the gap is `gap`: its discordance by restricted maximum likelihood (Tango 1998).
function restrictedVariance(onlyA, onlyB, n, gap) {
  if (gap < 0) return restrictedVariance(onlyB, onlyA, n, -gap);
  const linear = (2 * n - onlyA + onlyB) * gap - onlyA - onlyB;
  const product = 2 * onlyB * gap * (1 - gap);
  const root = Math.sqrt(linear ** 2 + 4 * n * product);
  const shareB = linear > 0 ? product / (linear + root) : (root - linear) / (4 * n); // the form that does not cancel
  return 2 * shareB + gap * (1 - gap);
}

// ---- Numbers for people: kdcourse.widgets._figure.plain ----

// Of a number >= 0: three significant digits, no exponent, commas between thousands.
export function plain(number) {
  if (number >= 999.5 || number < 1e-9) return thousands(number);
  const exponent = Number(number.toExponential().split("e")[1]); // log10 may miss a power of ten by a rounding error
  const text = fixed(number, 2 - exponent);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// A number >= 0 as a whole one, with commas; infinity in words would be another matter.
export function thousands(number) {
  const digits = number < 2 ** 53 ? fixed(number, 0) : String(BigInt(number)); // beyond 1e21, toFixed has an exponent
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}

// A number >= 0 with so many decimals, at least 0. Half-way between two it is the even one, as in Python; toFixed takes
// the larger. Half-way is what 2 ** (decimals + 1) makes an odd number of, and that product is exact.
export function fixed(number, decimals) {
  const halfway = (number * 2 ** (decimals + 1)) % 2 === 1;
  const text = number.toFixed(decimals);
  return halfway && Number(text.at(-1)) % 2 === 1 ? (number - 10 ** -decimals / 4).toFixed(decimals) : text;
}
