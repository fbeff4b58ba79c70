import { testShare } from './share';

testShare(7);
