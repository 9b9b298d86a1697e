const canvas = document.getElementById("wave");
const context = canvas.getContext("2d");

/** Draws samples from -1 to 1. */
export function draw(samples) {
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.beginPath();
  samples.forEach((value, i) => context.lineTo((i / (samples.length - 1)) * width, (0.5 - 0.45 * value) * height));
  context.stroke();
}
