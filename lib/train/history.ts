/** What training leaves behind, epoch by epoch. */

export interface EpochRecord {
  /** 1, 2, … */
  readonly epoch: number;
  /** Steps taken since the start of training. */
  readonly step: number;
  /** Mean of the loss over the epoch's rows, as it was when each batch was trained. For the likelihood: nats, model space. */
  readonly trainLoss: number;
  /** Mean log p of a validation row in nats, in the data's space; null where nothing was validated. */
  readonly validationLogProb: number | null;
  /** The same in the space after the preprocessing (logit space for images): what papers quote. */
  readonly validationLogProbModel: number | null;
  /** Standard error of the mean. */
  readonly validationStandardError: number | null;
  /** Bits per dimension of the validation rows in the data's space; null without validation data. */
  readonly bitsPerDim: number | null;
  /** Whether it is the best epoch so far by validation. */
  readonly isBest: boolean;
  /** Time of the epoch, with its evaluation. */
  readonly seconds: number;
  /** Rows trained a second, without the evaluation. */
  readonly samplesPerSecond: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
}

/** Why training ended. */
export type StopReason = 'patience' | 'epochs' | 'steps' | 'time' | 'aborted';
