// How the step-through explorer looks: three maps side by side, what flows between them, the seeds' differences.

export const STYLE = `
  & .kdx-steps-tools { align-items: center; display: flex; flex-wrap: wrap; gap: 0.5rem 0.6rem; }
  & .kdx-steps-tools .kdx-control {
    flex: 1 1 9rem;
    grid-template-columns: auto minmax(3rem, 1fr) minmax(2.4rem, auto);
    max-width: 16rem;
    width: auto;
  }
  & .kdx-steps-tools > button:first-child {
    background: var(--kdx-a);
    border-color: var(--kdx-a);
    color: white;
    min-width: 5rem;
  }
  & .kdx-steps-trail { display: flex; flex-wrap: wrap; gap: 0.3rem; list-style: none; margin: 0.7rem 0 0; padding: 0; }
  & .kdx-steps-trail li { margin: 0; }
  & .kdx-steps-trail button { border-color: var(--kdx-line); font-size: 0.85em; padding: 0.1rem 0.5rem; }
  & .kdx-steps-trail button[aria-current] {
    background: var(--kdx-faint);
    border-color: currentColor;
    outline: 1px solid currentColor;
  }
  & .kdx-steps-trail button[aria-current]:focus-visible { outline: 3px solid var(--kdx-focus); }
  /* Three lines: what stands below it does not jump from stage to stage. */
  & .kdx-steps-status { margin: 0.6rem 0 0.7rem; min-height: 4.2em; }
  & .kdx-steps-legend { display: flex; flex-wrap: wrap; font-size: 0.9em; gap: 0.2rem 1.2rem; margin: 0 0 0.6rem; }
  & .kdx-steps-legend span { align-items: center; display: inline-flex; gap: 0.4rem; }
  & .kdx-steps-legend svg { flex: none; }
  & .kdx-steps-maps { display: grid; gap: 0.8rem; grid-template-columns: repeat(3, minmax(0, 1fr)); }
  & .kdx-steps-maps figure { margin: 0; }
  & .kdx-steps-map { aspect-ratio: 1; border: 1px solid var(--kdx-line); display: block; width: 100%; }
  & .kdx-steps-maps figcaption {
    color: inherit; /* themes have captions of their own */
    font: inherit;
    font-size: 0.9em;
    font-variant-numeric: tabular-nums;
    margin: 0.25rem 0 0;
    min-height: 4.2em;
    text-align: start;
  }
  & .kdx-steps-maps figcaption > * { display: block; }
  & :is(.kdx-steps-state, .kdx-steps-maps figcaption strong) { font-weight: 600; }
  & .kdx-steps-dials {
    display: grid;
    gap: 0.2rem 1.6rem;
    grid-template-columns: repeat(2, minmax(0, 1fr));
    margin-top: 0.5rem;
  }
  & .kdx-steps-dials .kdx-control { grid-template-columns: minmax(6rem, 9rem) minmax(3rem, 1fr) 2rem; }
  & .kdx-steps-numbers {
    align-items: start;
    display: grid;
    gap: 0.8rem 1.6rem;
    grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
    margin-top: 0.8rem;
  }
  & .kdx-steps-numbers table { margin: 0; table-layout: fixed; width: 100%; }
  & .kdx-steps-numbers :is(th, td) {
    border: 0;
    border-top: 1px solid var(--kdx-faint);
    font-weight: 400;
    padding: 0.15rem 0.4rem 0.15rem 0;
    text-align: end;
    vertical-align: middle;
    white-space: normal;
  }
  & .kdx-steps-numbers :is(th[scope="row"], thead td) { text-align: start; width: 36%; }
  & .kdx-steps-losses :is(th[scope="row"], thead td) { width: 60%; }
  & .kdx-steps-results > p { margin: 0.7rem 0; }
  & .kdx-steps-results > p:first-child { font-weight: 600; }
  & .kdx-steps-strip {
    background: linear-gradient(currentColor, currentColor) center / 1px 100% no-repeat;
    border-bottom: 1px solid var(--kdx-line);
    height: 3.6rem;
    overflow: hidden;
    position: relative;
  }
  & .kdx-steps-dot {
    background: var(--kdx-a);
    border-radius: 50%;
    height: 0.55rem;
    position: absolute;
    transform: translate(-50%, -50%);
    width: 0.55rem;
  }
  & .kdx-steps-interval {
    border: solid var(--kdx-b);
    border-width: 0 2px;
    height: 0.8rem;
    position: absolute;
    top: 70%;
  }
  & .kdx-steps-interval::after {
    background: var(--kdx-b);
    content: "";
    height: 2px;
    inset: calc(50% - 1px) 0 auto;
    position: absolute;
  }
  & .kdx-steps-mean {
    background: var(--kdx-b);
    height: 0.7rem;
    position: absolute;
    top: calc(70% + 0.05rem);
    transform: translateX(-50%) rotate(45deg);
    width: 0.7rem;
  }
  & .kdx-steps-ends { display: flex; font-size: 0.85em; gap: 0.5rem; justify-content: space-between; margin-top: 0.2rem; }
  & .kdx-steps-ends > :last-child { text-align: end; }
  & .kdx-steps-progress { margin-inline-start: 0.7rem; }
  & .kdx-steps-hidden { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap; width: 1px; }
  @container (max-width: 34rem) {
    & :is(.kdx-steps-dials, .kdx-steps-numbers) { grid-template-columns: minmax(0, 1fr); }
    & .kdx-steps-maps { gap: 0.6rem; grid-template-columns: repeat(2, minmax(0, 1fr)); }
    & .kdx-steps-maps figure:first-child {
      display: grid;
      gap: 0.6rem;
      grid-column: 1 / -1;
      grid-template-columns: inherit;
    }
    & .kdx-steps-name { clip-path: inset(50%); overflow: hidden; position: absolute; white-space: nowrap; width: 1px; }
    & .kdx-steps-trail button { min-width: 2rem; }
  }
`;
