import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [react()],
  resolve: { dedupe: ["react"] }, // wslink is a link to a directory here, beside which there is another React
  server: { proxy: { "/ws": { target: "http://localhost:8080", ws: true } } },
});
