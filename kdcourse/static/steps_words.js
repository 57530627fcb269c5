// What the step-through explorer says: a name and two sentences for every stage, and one sentence for every verdict.

import { inPercent, signed } from "./maths.js";
import { countWeights, TOY } from "./toy.js";

export const SHAPES = ["circle", "triangle", "square"]; // the three classes; each has a colour and a marker of its own

export const STAGES = [
  [
    "The data",
    "Three classes, the arms of a spiral: circles, triangles, squares. They overlap, so that nobody can always be right. " +
      `The teacher may learn from ${TOY.trainingPoints} labelled points, both students only from the few of the transfer set.`,
  ],
  [
    "Train the teacher",
    `A network with ${countWeights(TOY.teacher.sizes)} weights learns from all ${TOY.trainingPoints} points. ` +
      "The background is its answer at each place. Where colours mix it is unsure; where a line runs it changes its mind.",
  ],
  [
    "Run the teacher",
    "Ask it about every point of the transfer set. A pie is one answer: not a class, but a share for each class. " +
      "The ring marks the point whose numbers stand below.",
  ],
  [
    "Soften",
    "Divide the teacher's logits by the temperature T before the softmax. Above T = 1 the shares come closer to each other, " +
      "and small ones become visible. These pies are the soft labels that the distilled student gets.",
  ],
  [
    "Match",
    `Two equal students with ${countWeights(TOY.student.sizes)} weights each; nothing is trained yet. How far is the ` +
      "distilled student's softened answer from the soft label? That is T² · KL, and it is 0 where they agree.",
  ],
  [
    "Add cross-entropy",
    "The label keeps a say: loss = soft weight · T² · KL + (1 − soft weight) · cross-entropy. The other student gets " +
      "cross-entropy alone. Now both train, from the same start, on the same points.",
  ],
  [
    "Result",
    `All three answer ${TOY.testPoints.toLocaleString("en-US")} new points. The two students differ in nothing but their ` +
      "loss. Which border runs closer to the teacher's? Does it stay so with 200 points, or at T = 8?",
  ],
];

// With soft weight 0 no soft label was used, and none made a difference.
export function resultOf(seed, { teacher, hard, distilled }, difference, softWeight) {
  const accuracies =
    `Seed ${seed}: teacher ${inPercent(teacher)}, student on labels ${inPercent(hard)}, distilled student ` +
    `${inPercent(distilled)}.`;
  if (softWeight === 0) return accuracies;
  return `${accuracies} The soft labels made a difference of ${signed(difference, 1)} points.`;
}

// What the differences of several seeds say together. result: that of compare().
export function verdictOf({ mean, low, high, n, verdict }, softWeight) {
  if (softWeight === 0) return "With soft weight 0 both students learn from labels alone: they are one and the same student.";
  if (n < 2) return "One seed proves nothing: other points and another start could say the opposite. Train more seeds.";
  const interval = `95 % interval ${signed(low, 1)} to ${signed(high, 1)}`;
  const measured = `${signed(mean, 1)} points on average over ${n} seeds (a dot each), ${interval}.`;
  const sentence = {
    better: "Better: at these settings, soft labels help this student.",
    worse: "Worse: at these settings, soft labels harm this student.",
    inconclusive:
      "Inconclusive: the interval holds 0, so these seeds cannot tell. Decide first how many more to train, then train them.",
  }[verdict];
  return `${measured} ${sentence}`;
}
