# Stable laws at moderate points from R's stabledist (S0: pm = 0), whose own tolerance is looser.
#   Rscript stable_r.R > stable_r.json
library(stabledist)
rows <- c()
for (alpha in c(0.6, 1.2, 1.5, 1.8)) for (beta in c(-0.7, 0, 0.4, 1)) for (x in c(-2, 0.3, 1.5, 6)) {
  f <- dstable(x, alpha, beta, pm = 0, tol = 1e-12)
  p <- pstable(x, alpha, beta, pm = 0, tol = 1e-12)
  rows <- c(rows, sprintf("[%.17g, %.17g, %.17g, %.17g, %.17g]", alpha, beta, x, f, p))
}
cat(sprintf('{"generator": "stable_r.R", "R": "%s", "stabledist": "%s",\n', getRversion(), packageVersion("stabledist")))
cat('"columns": ["alpha", "beta", "x", "pdf", "cdf"], "rows": [\n')
cat(paste(rows, collapse = ",\n"), "\n]}\n", sep = "")
