export * from './bernoulliMade';
