import { testShare } from './share';

testShare(5);
