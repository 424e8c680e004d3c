"""The formulas of the papers and the measures of the tables, one function each."""
