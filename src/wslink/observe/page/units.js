// What is measured, as people read it.

export const short = (id) => id.slice(0, 8);
export const status = (code) => (code === "OK" ? "OK" : `error ${code}`);

export function clock(seconds) {
  const date = new Date(1000 * seconds);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

export function time(seconds) {
  if (!seconds) return "–";
  const milliseconds = 1000 * seconds;
  if (milliseconds >= 10_000) return `${seconds.toFixed(1)} s`;
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`;
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(Math.floor(seconds), 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  for (; count >= 1000 && step < units.length - 1; step++) count /= 1000;
  return `${step && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[step]}`;
}
