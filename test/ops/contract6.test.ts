import { testShare } from './share';

testShare(6);
