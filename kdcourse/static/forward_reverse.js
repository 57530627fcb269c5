// The explorer of forward and reverse KL: how a word is said, by a teacher and by a student that forgets what it said.

import { bar, choice, mount, setter, slider, table, words } from "./controls.js";
import { element, setText } from "./dom.js";
import { inPercent, jsd, nearestProduct, product, ranked } from "./maths.js";

const RARE = 0.1; // what has less of the teacher's probability is seldom said
const FORGOTTEN = 10; // times as often as the student the teacher says what the student has given up

const STYLE = `
  & .kdx-direction-places {
    display: grid;
    gap: 0 1.6rem;
    grid-template-columns: repeat(auto-fit, minmax(min(17rem, 100%), 1fr));
  }
  & .kdx-direction { table-layout: fixed; width: 100%; }
  & .kdx-direction :is(th, td) { padding-inline-end: 0.5rem; vertical-align: top; }
  & .kdx-direction-places :is(th, td):first-child { width: 3.2rem; }
  & .kdx-direction-whole :is(th, td):first-child { width: 17rem; }
  & .kdx-direction .kdx-number { min-width: 3.6rem; }
  & .kdx-direction-open { font-weight: 700; text-decoration: underline; text-underline-offset: 0.2em; }
  & .kdx-direction-mark { font-weight: 600; margin-inline-start: 0.4rem; white-space: nowrap; }
  @container (max-width: 34rem) {
    & .kdx-direction-whole :is(th, td):first-child { width: 34%; }
    & .kdx-direction-mark { display: block; margin: 0; min-height: 1.4em; }
    & .kdx-direction-whole .kdx-bar { grid-template-columns: minmax(0, 1fr); }
  }
`;

// What there is to know of a word before a student answers. `order` has the teacher's likeliest pronunciation first.
export function reading({ pronunciations, joint }) {
  const places = pronunciations.map((some, k) => (some.length > 1 ? k : -1)).filter((k) => k >= 0);
  const options = places.map((place) => pronunciations[place]);
  const pairs = options[0].flatMap((first) => options[1].map((second) => [first, second]));
  const said = pairs.map((pair) => pronunciations.map(([only], k) => pair[places.indexOf(k)] ?? only));
  const teacher = joint.flat();
  const total = (shares) => shares.reduce((sum, share) => sum + share, 0);
  const alone = [joint.map(total), options[1].map((_, j) => total(joint.map((row) => row[j])))];
  return { places, options, said, teacher, alone, order: ranked(teacher) };
}

// What a student says of it: {first, second, student, madeUp, givenUp, marks}. The shares are of the student and of the
// teacher; a mark stands beside a pronunciation of which one says much and the other hardly anything.
export function answer(joint, teacher, beta) {
  const { first, second } = nearestProduct(joint, beta);
  const student = product(first, second);
  const marks = teacher.map((p, k) => {
    if (p < RARE) return student[k] < RARE ? "" : "made up";
    return student[k] < p / FORGOTTEN ? "given up" : "";
  });
  const total = (shares, among) => shares.reduce((sum, share, k) => sum + (among(k) ? share : 0), 0);
  return {
    first,
    second,
    student,
    marks,
    madeUp: total(student, (k) => teacher[k] < RARE),
    teacherRare: total(teacher, (k) => teacher[k] < RARE),
    givenUp: total(teacher, (k) => marks[k] === "given up"),
  };
}

function direction(beta) {
  return beta === 0 ? "forward KL" : beta === 1 ? "reverse KL" : "between forward and reverse KL";
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

// The nodes of a pronunciation; what is open in it stands out.
function spelled(phonemes, places) {
  return phonemes.flatMap((phoneme, k) => {
    const className = places.includes(k) ? "kdx-direction-open" : "";
    return [element("span", { className }, phoneme), " "];
  });
}

function list(texts) {
  return texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`;
}

// What the bars show, in words.
function say(word, { options, said, teacher, order }, { student, marks, madeUp, teacherRare, givenUp }) {
  const named = (shares) => (k) => `${said[k].join(" ")} (${inPercent(shares[k])})`;
  const marked = (mark) => order.filter((k) => marks[k] === mark);
  const [invented] = marked("made up").sort((a, b) => student[b] - student[a]);
  const next = options[0].flatMap((first, i) => {
    const row = teacher.slice(i * options[1].length, (i + 1) * options[1].length);
    const total = row.reduce((sum, share) => sum + share, 0);
    const best = ranked(row)[0];
    return total < RARE ? [] : [`${first} goes with ${options[1][best]} (${inPercent(row[best] / total)})`];
  });
  const kl = (from, to) => jsd(from, to, 0).toFixed(2);
  return [
    `The teacher says ${word} as ${list(order.filter((k) => teacher[k] >= RARE).map(named(teacher)))}: ${list(next)}. ` +
      `All else is ${inPercent(teacherRare)}.`,
    `Of what the student says, ${inPercent(madeUp)} the teacher seldom says` +
      `${invented === undefined ? "" : `, such as ${named(student)(invented)}`}.`,
    givenUp > 0
      ? `The student has given up ${list(marked("given up").map(named(teacher)))}.`
      : "The student has given up nothing that the teacher says.",
    `KL(teacher ‖ student) is ${kl(teacher, student)} nats, KL(student ‖ teacher) ${kl(student, teacher)} nats.`,
  ];
}

// A table of shares, with a bar for the teacher and one for the student. fill(caption, labels) makes a row for each.
function shareTable(className) {
  const body = element("tbody");
  const node = table("", ["", "teacher", "student"], body);
  node.className = `kdx-direction ${className}`;
  let rows = [];
  const fill = (caption, labels) => {
    setText(node.caption, caption);
    rows = labels.map((label) => {
      const bars = [bar("", "kdx-a"), bar("", "kdx-b")];
      const mark = element("span", { className: "kdx-direction-mark" });
      const name = element("th", { scope: "row" }, ...label, ...(className ? [mark] : []));
      return { bars, mark, row: element("tr", {}, name, ...bars.map((one) => element("td", {}, one.node))) };
    });
    body.replaceChildren(...rows.map(({ row }) => row));
  };
  const show = (teacher, student, marks) => {
    rows.forEach(({ bars, mark }, k) => {
      [teacher, student].forEach((shares, who) => bars[who].show([shares[k]], inPercent(shares[k])));
      setText(mark, marks?.[k] ?? "");
    });
  };
  return { node, fill, show };
}

function render({ model, el }) {
  const all = model.get("words");
  const chosen = () => all[model.get("word_number")];
  const word = choice({ label: "word", options: all.map((one) => one.word), change: setter(model, "word_number") });
  const beta = slider({ label: "β: forward 0, reverse 1", max: 1, step: 0.02, change: setter(model, "beta") });
  const finding = element("p", { className: "kdx-finding" });
  const alone = [0, 1].map(() => shareTable(""));
  const together = shareTable("kdx-direction-whole");
  const said = words();
  const note = element("p", { className: "kdx-note" });

  let known;
  const draw = () => {
    const { joint, word: name } = chosen();
    const now = answer(joint, known.teacher, model.get("beta"));
    const shares = `${inPercent(now.madeUp)} made up, ${inPercent(now.givenUp)} given up`;
    const place = model.get("beta").toFixed(2);
    beta.show(model.get("beta"), place, `${place}, ${direction(model.get("beta"))}: ${shares}`);
    setText(finding, `${capital(direction(model.get("beta")))}: ${shares}`);
    known.alone.forEach((teacher, k) => alone[k].show(teacher, [now.first, now.second][k]));
    const sorted = (values) => known.order.map((k) => values[k]);
    together.show(sorted(known.teacher), sorted(now.student), sorted(now.marks));
    const lines = say(name, known, now);
    said.show(lines);
    el.dataset.alt = `${finding.textContent}. ${lines.join(" ")}`;
  };
  const choose = () => {
    known = reading(chosen());
    const [first, second] = known.places.map((place) => `Phoneme ${place + 1}`);
    word.show(model.get("word_number"));
    alone.forEach(({ fill }, k) => {
      fill([first, `${second}, whatever came before`][k], known.options[k].map((phoneme) => [phoneme]));
    });
    together.fill("Both together", known.order.map((k) => spelled(known.said[k], known.places)));
    setText(note, `The student has one distribution for each phoneme: it forgets what it has said. Made up: the ` +
      `student's probability of pronunciations to which the teacher gives less than ${100 * RARE} %. Given up: the ` +
      `teacher's probability of the others, where it is over ${FORGOTTEN} times the student's. The pronunciations shown ` +
      `here hold ${inPercent(chosen().covered)} of what the teacher might say, and are taken for the whole.`);
    draw();
  };
  choose();
  const places = element("div", { className: "kdx-direction-places" }, ...alone.map(({ node }) => node));
  return mount(el, model, {
    title: "Forward or reverse KL",
    style: STYLE,
    parts: [
      element("div", { className: "kdx-controls" }, word.node, beta.node), finding, places, together.node, said.node, note,
    ],
    redraw: { word_number: choose, beta: draw },
  });
}

export default { render };
