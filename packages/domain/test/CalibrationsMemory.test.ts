import { Calibrations } from "../src/Calibration.ts"
import { calibrationsContract } from "../src/testing/contracts/CalibrationsContract.ts"

calibrationsContract("memory", Calibrations.layerMemory)
