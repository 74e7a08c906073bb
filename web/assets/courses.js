// The page of the learner's own courses.
import { startAccount } from "./account.js";
import { startCourseTable } from "./course-table.js";
import { startLanguage } from "./i18n.js";

startLanguage();
startAccount(() => readTable());
const readTable = startCourseTable({
  reason: "sign_in.then_courses",
  emptyText: true,
  fresh: new URLSearchParams(location.search).get("opened"),
});
