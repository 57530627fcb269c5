// What makes an answer right: the rule of kdcourse/quiz/grading.py on the same data. A test compares the two.

export class NotAnAnswer extends Error {}

const SPACE = "[ \\t\\u00a0\\u2009\\u202f]";
const SPACES = new RegExp(SPACE, "g");
const AROUND = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");
const NUMBER = new RegExp(
  `^[+-]?${SPACE}*(?:(?:[0-9]{1,3}(?:${SPACE}[0-9]{3})+|[0-9]+)(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]{1,3})?$`,
);
const TWO_WAYS = new RegExp(`^[+-]?${SPACE}*[1-9][0-9]{0,2},[0-9]{3}$`);

// {correct, feedback: [[option or null, explanation], ...]}; throws NotAnAnswer for what is none.
export function grade(question, given) {
  const { type, answers } = question;
  if (type === "numeric") return gradeNumber(question, given);
  const many = type === "many_choice";
  const chosen = many ? [given].flat() : [given];
  if (given === null || given === undefined || chosen.length === 0) throw new NotAnAnswer("Choose an option first.");
  for (const index of chosen) {
    if (!Number.isInteger(index) || !answers[index]) {
      throw new NotAnAnswer(`There are options 0 to ${answers.length - 1}, and no option ${index}.`);
    }
  }
  const feedback = [...new Set(chosen)].sort((a, b) => a - b).map((index) => [index, answers[index].feedback]);
  const right = chosen.every((index) => answers[index].correct);
  const missing = many && answers.filter((answer) => answer.correct).length > feedback.length;
  if (right && missing) feedback.push([null, "What you chose applies, but something else does too."]);
  return { correct: right && !missing, feedback };
}

function gradeNumber({ answers, precision }, given) {
  const round = (number) => (precision ? Number(number.toPrecision(precision)) : number);
  const number = round(readNumber(given));
  const fits = ({ type, value, range }) =>
    type === "value" ? number === round(value) : type === "range" && range[0] <= number && number < range[1];
  const answer = answers.find(fits) ?? answers.find(({ type }) => type === "default");
  return { correct: answer.correct ?? false, feedback: [[null, answer.feedback]] };
}

function readNumber(given) {
  if (Number.isFinite(given)) return given;
  const text = typeof given === "string" ? given.replace(AROUND, "") : "";
  if (!text) throw new NotAnAnswer("Type a number first.");
  const unreadable = new NotAnAnswer(`“${text}” cannot be read as a number. Write it like 12.5, −3 or 1/8.`);
  const numbers = text.replaceAll("−", "-").replace(/%$/, "").split("/").map((spaced) => {
    const part = spaced.replace(AROUND, "");
    if (TWO_WAYS.test(part)) {
      throw new NotAnAnswer(
        `“${text}” can be read in two ways. Write a point for the decimals, and nothing between thousands.`,
      );
    }
    if (!NUMBER.test(part)) throw unreadable;
    return Number(part.replace(SPACES, "").replace(",", "."));
  });
  const number = numbers.length === 2 && numbers[1] ? numbers[0] / numbers[1] : numbers[0];
  if (numbers.length > 2 || (numbers.length === 2 && !numbers[1]) || !Number.isFinite(number)) throw unreadable;
  return number;
}
