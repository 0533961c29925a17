"""The way of a training from a file to a published model: rows, fit, measure, export, publish; search and dry run."""
