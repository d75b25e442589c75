package postgres

// Listen is for tests that cannot wait as long as a service does.
var Listen = listen
