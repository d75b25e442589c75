package app

import "time"

// about is what the program says of itself.
const about = "Monitor deployments and alert when one goes down"

// tick is how often due probes and alerts are looked for.
const tick = time.Second
